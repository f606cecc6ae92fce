/*
 * All that the server remembers: every run begins with it as it was when the process began. A test,
 * in tests/rooms.bats, fails if a module has a variable that is missing here.
 */
#ifndef STATE_H
#define STATE_H

#include "world.h"

/* clang-format off */
#define EACH_STATE(each) \
    each(asked_anew) \
    each(batch) \
    each(block_pool) \
    each(call_pool) \
    each(cd_here) \
    each(clients) \
    each(clock_turn_ns) \
    each(console) \
    each(control) \
    each(deadlines) \
    each(dispatch) \
    each(epoll_fd) \
    each(fleet) \
    each(giver_pool) \
    each(helps) \
    each(joblog) \
    each(jobs) \
    each(jobs_submitted) \
    each(keeper) \
    each(last_found) \
    each(life) \
    each(logging) \
    each(memory) \
    each(meter) \
    each(options) \
    each(output) \
    each(partings) \
    each(paused) \
    each(pool_freed) \
    each(pools) \
    each(reaper) \
    each(refusals) \
    each(relay) \
    each(requests) \
    each(resume) \
    each(scan) \
    each(server) \
    each(session) \
    each(slots) \
    each(slow_stop) \
    each(spawn) \
    each(stats) \
    each(tally) \
    each(texts) \
    each(turns) \
    each(watchdog)
/* clang-format on */

#define STATE_FIELD(name)   __typeof__(name) name;
#define STATE_SAVE(name)    memcpy(&state.name, &name, sizeof(name));
#define STATE_RESTORE(name) memcpy(&name, &state.name, sizeof(name));

static struct {
    EACH_STATE(STATE_FIELD)
} state;

static void
state_save(void)
{
    EACH_STATE(STATE_SAVE)
}

static void
state_restore(void)
{
    EACH_STATE(STATE_RESTORE)
}

#endif

#include "keeper.h"

#include "clients.h"
#include "clock.h"
#include "create.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "spawn.h"
#include "stats.h"

#include <errno.h>
#include <sys/wait.h>

enum {
    /* A kept driver that dies is replaced at once; if it died this young, after a delay, which
     * doubles each time. */
    YOUNG_MS = 1000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

static struct {
    unsigned missing;         /* kept drivers that must still be started */
    unsigned died;            /* how many of these replace a driver that died */
    int64_t backoff_ms;       /* the last delay; 0: none was needed */
    struct deadline deadline; /* DEADLINE_REPLACE, while there is a delay */
} keeper;

void
keeper_open(void)
{
    deadline_init(&keeper.deadline);
    keeper.missing = options.drivers;
}

bool
keeper_can_start(void)
{
    return keeper.missing > 0 && fleet_count(DRIVER_STARTING) < STARTING_MAX &&
           !deadline_is_set(&keeper.deadline);
}

unsigned
keeper_missing(void)
{
    return keeper.missing;
}

bool
keeper_all_up(void)
{
    return keeper.missing + fleet_kept_starting() == 0;
}

void
keeper_warmed_up(void)
{
    if (phase_reach(PHASE_RUNNING))
        clients_wake();
}

/* Delays the start of missing drivers, for twice as long as the last time. */
static void
keeper_back_off(void)
{
    if (deadline_is_set(&keeper.deadline))
        return;
    keeper.backoff_ms = keeper.backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * keeper.backoff_ms;
    if (keeper.backoff_ms > BACKOFF_MAX_MS)
        keeper.backoff_ms = BACKOFF_MAX_MS;
    deadline_set(DEADLINE_REPLACE, keeper.backoff_ms * NS_PER_MS);
    deadline_start(&keeper.deadline, DEADLINE_REPLACE);
    keeper_warmed_up();
}

void
keeper_start(void)
{
    struct driver *driver = driver_new(NULL);

    if (driver == NULL) {
        log_line("cannot create driver: %s", strerror(errno));
        keeper_back_off();
        return;
    }
    driver_keep(driver);
    keeper.missing--;
    if (keeper.died > 0) {
        keeper.died--;
        stats.replaced++;
        log_line("driver %d replaces one that died", driver->pid);
    }
}

/* A new driver takes the place of this one, unless it was deleted or ended by SIGTERM (status 0):
 * at once, or after a delay if it lived only briefly or never came up. */
void
keeper_ended(const struct driver *driver, int status)
{
    bool told = driver->said_hello && driver->end == END_UNASKED && WIFEXITED(status) &&
                WEXITSTATUS(status) == 0;

    if (phase_stopping() || driver->end >= END_ASKED || told)
        return;
    keeper.missing++;
    keeper.died++;
    if (!driver->said_hello || clock_turn_ns - driver->started_ns < YOUNG_MS * NS_PER_MS)
        keeper_back_off();
    else if (!deadline_is_set(&keeper.deadline))
        keeper.backoff_ms = 0;
}

void
keeper_replace(void)
{
    deadline_stop(&keeper.deadline);
}

void
keeper_stop(void)
{
    keeper.missing = 0;
    deadline_stop(&keeper.deadline);
}

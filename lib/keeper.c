#include "keeper.h"

#include "clients.h"
#include "clock.h"
#include "console.h"
#include "create.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "spawn.h"
#include "stats.h"

#include <errno.h>

enum {
    /* A kept driver that ends is replaced at once; if it ended this young, after a delay, which
     * doubles each time. */
    YOUNG_MS = 1000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    GIVE_UP_S = 10, /* how long a batch whose input has ended waits for a driver to come up */
};

static struct {
    unsigned missing;         /* kept drivers that must still be started */
    unsigned died;            /* how many of these replace a driver that died */
    bool given_up;            /* no more are started */
    int64_t last_up_ns;       /* when the last one that ended was still up; at first, the start */
    int64_t backoff_ms;       /* the last delay; 0: none was needed */
    struct deadline deadline; /* DEADLINE_REPLACE, while there is a delay */
} keeper;

void
keeper_open(void)
{
    deadline_init(&keeper.deadline);
    keeper.missing = options.drivers;
    keeper.last_up_ns = clock_turn_ns;
}

bool
keeper_is_trying(void)
{
    return keeper.missing > 0 && !keeper.given_up;
}

bool
keeper_gave_up(void)
{
    return keeper.given_up;
}

bool
keeper_can_start(void)
{
    return keeper_is_trying() && fleet_count(DRIVER_STARTING) < STARTING_MAX &&
           !deadline_is_set(&keeper.deadline);
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

/* Whether to give up: no driver is up, none has come up for GIVE_UP_S, and nobody is left who could
 * give more commands. */
static bool
keeper_is_hopeless(void)
{
    return fleet_count(DRIVER_READY) == 0 &&
           clock_turn_ns - keeper.last_up_ns >= GIVE_UP_S * NS_PER_S && !options_serve_others() &&
           console_has_ended();
}

/* Nothing that waits for a driver, or is still in the input, will get one. */
static void
keeper_give_up(void)
{
    log_line("no driver came up in %d s, and the input has ended: gave up", GIVE_UP_S);
    phase_set_failed();
    keeper.given_up = true;
    keeper_warmed_up();
}

/* A start has failed, or a driver has ended soon after its start. Delays the start of missing
 * drivers, for twice as long as the last time. */
static void
keeper_back_off(void)
{
    if (keeper.given_up || deadline_is_set(&keeper.deadline))
        return;
    if (keeper_is_hopeless()) {
        keeper_give_up();
        return;
    }
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

/* A new driver takes the place of this one, unless a command deleted it: at once, or after a delay
 * if it lived only briefly or never came up. */
void
keeper_ended(const struct driver *driver)
{
    if (driver->said_hello)
        keeper.last_up_ns = clock_turn_ns;
    if (phase_stopping() || driver->end >= END_ASKED)
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

#include "watchdog.h"

#include "answer.h"
#include "channel.h"
#include "clock.h"
#include "options.h"

static struct deadline watchdog; /* DEADLINE_WATCH, one for all drivers */

void
watchdog_open(void)
{
    deadline_init(&watchdog);
    if (options.watchdog_ns == 0 || options.drivers == 0)
        return;
    deadline_set(DEADLINE_WATCH, options.watchdog_ns);
    deadline_start(&watchdog, DEADLINE_WATCH);
}

/* Makes the driver owe us an answer, if it owes none. Without memory it is not watched this
 * time. */
static void
driver_watch(struct driver *driver)
{
    bool owes = driver->sent_id != driver->answered_id || !list_empty(&driver->queued);
    struct call *call = owes ? NULL : call_new(NULL, &question_status);

    if (call != NULL)
        driver_call(driver, call);
    driver->watched_id = owes || call != NULL ? id_after(driver->answered_id) : 0;
}

/* Whether the driver has answered nothing since it was watched. The answer may be there, but
 * unread. */
static bool
driver_is_silent(struct driver *driver)
{
    return driver->watched_id == id_after(driver->answered_id) && !driver_receive(driver);
}

/* If we are late, we or the whole machine were stopped. Then the drivers may not have had their
 * time, and get it now. */
void
watchdog_over(void)
{
    bool late = clock_turn_ns - watchdog.at_ns > options.watchdog_ns / 4;
    struct driver *driver = NULL;

    while ((driver = fleet_next(driver)) != NULL) {
        if (!driver->kept || driver->state != DRIVER_READY)
            continue;
        bool silent = driver_is_silent(driver);
        if (driver->state != DRIVER_READY)
            continue; /* what it said has ended it */
        if (silent && !late)
            driver_condemn(driver, "did not answer for %s s", options.watchdog);
        else
            driver_watch(driver);
    }
    deadline_start(&watchdog, DEADLINE_WATCH);
}

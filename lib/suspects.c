#include "suspects.h"

#include "children.h"

#include <signal.h>
#include <unistd.h>

struct driver *
stuck_next(struct driver *driver)
{
    struct list *doomed = fleet_doomed();
    struct list *next = driver == NULL ? doomed->next : driver->doomed.next;

    while (next != doomed && !container_of(next, struct driver, doomed)->ran)
        next = next->next;
    return next != doomed ? container_of(next, struct driver, doomed) : NULL;
}

struct driver *
suspect_next(struct driver *driver)
{
    struct list *dropped = fleet_dropped();

    if (driver != NULL && !driver->reaped)
        return stuck_next(driver);
    struct list *next = driver == NULL ? dropped->next : driver->by_age.next;
    return next != dropped ? container_of(next, struct driver, by_age) : stuck_next(NULL);
}

/* Whether a child was left by a driver: it is in the session of that driver's job. A session that
 * began outside of our pid namespace has number 0, and is no job's. */
static bool
orphan_of_suspect(pid_t pid)
{
    pid_t leader = getsid(pid);

    for (struct driver *driver = NULL; leader > 0 && (driver = suspect_next(driver)) != NULL;) {
        if (driver->job_pid == leader) {
            driver->left_orphans = true;
            return true;
        }
    }
    return false;
}

/* A job has its own session, so a child in our session is no orphan: it is a driver, or was there
 * before our exec. A driver that was killed and had a job counts, too: a tracer among the processes
 * of the job can keep it from dying, PTRACE_EVENT_EXIT in ptrace(2). */
bool
child_is_orphan(pid_t pid)
{
    const struct driver *driver = driver_find(pid);

    if (driver != NULL)
        return driver->killed && driver->ran;
    if (getsid(pid) == getsid(0))
        return false;
    return !fleet_has_siblings() || orphan_of_suspect(pid);
}

void
suspects_set_left_orphans(bool left)
{
    for (struct driver *driver = NULL; (driver = suspect_next(driver)) != NULL;)
        driver->left_orphans = left;
}

/* Whether the process group of the driver's job still is the job's: it has a child of ours, perhaps
 * dead. If nothing of the job is left, a new driver may have its pid, and lead a group of that
 * number. */
static bool
driver_left_group(const struct driver *driver)
{
    return driver->job_pid > 0 && driver_find(driver->job_pid) == NULL &&
           child_in_group(driver->job_pid);
}

bool
suspects_kill_groups(void)
{
    bool found = false;

    for (struct driver *driver = NULL; (driver = suspect_next(driver)) != NULL;) {
        if (!driver_left_group(driver))
            continue;
        kill(-driver->job_pid, SIGKILL);
        driver->left_orphans = found = true;
    }
    return found;
}

void
suspects_add_groups(struct survivors *survivors)
{
    for (struct driver *driver = NULL; (driver = suspect_next(driver)) != NULL;)
        if (driver_left_group(driver))
            survivors_add(survivors, driver->job_pid);
}

#include "reaper.h"

#include "channel.h"
#include "children.h"
#include "create.h"
#include "keeper.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "spawn.h"
#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum orphans {
    ORPHANS_NONE,
    ORPHANS_EXPECTED, /* a driver may have left children, which must be killed */
    ORPHANS_LOOK,     /* the same, and this turn searches for them */
};

static struct {
    enum orphans orphans;
    /* We were started without children, so every child that is not a driver was left behind by
     * one. */
    bool childless;
    struct deadline sweep; /* DEADLINE_SWEEP */
} reaper;

/* ---- a driver's death ------------------------------------------------------------------------ */

static void
call_end_died(struct call *call, int status)
{
    call->status = status;
    call_end(call, phase_stopping() ? OUTCOME_STOPPING : OUTCOME_DIED);
}

static void
calls_end_died(struct list *calls, int status)
{
    while (!list_empty(calls))
        call_end_died(container_of(calls->next, struct call, of_driver), status);
}

static void
driver_log_end(const struct driver *driver, int status)
{
    bool failed = WIFEXITED(status) && WEXITSTATUS(status) != 0;

    if (driver->end < END_ASKED) {
        stats.died++;
        log_line("driver %d died (%s)", driver->pid, status_text(status));
    } else if (failed || options.verbose) {
        log_line("driver %d ended (%s)", driver->pid, status_text(status));
    }
}

/* The driver was reaped. Reads what it said before it died, then handles its death, then drops
 * it. */
static void
driver_reaped(struct driver *driver, int status)
{
    driver->reaped = true;
    while (driver_receive(driver))
        ;
    driver_close(driver);
    driver_unlist(driver);
    if (driver->work != WORK_NONE && phase_stopping())
        stats.cancelled_at_stop++;
    driver_log_end(driver, status);
    if (driver->kept)
        keeper_ended(driver);
    create_failed(driver, status);
    calls_end_died(&driver->ongoing, status);
    calls_end_died(&driver->in_flight, status);
    calls_end_died(&driver->queued, status);
    driver_drop_text(driver);
    if (driver->ran && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        reaper.orphans = ORPHANS_LOOK;
    while (!list_empty(&driver->awaited))
        call_end_died(clients_resume_first(&driver->awaited), status);
    if (driver->death != NULL)
        call_end(driver->death, OUTCOME_DELETED);
    fleet_remove(driver);
}

/* ---- reaping --------------------------------------------------------------------------------- */

/* Reaps a dead child: the one with that pid, or any if pid is -1. Returns false if none is dead. */
static bool
child_reap(pid_t pid)
{
    int status;
    pid_t dead = child_wait(pid, &status, NULL);

    if (dead <= 0)
        return false;
    struct driver *driver = driver_find(dead);
    if (driver != NULL)
        driver_reaped(driver, status);
    else
        orphans_look_again();
    return true;
}

void
reaper_open(void)
{
    deadline_init(&reaper.sweep);
    children_sweep(); /* those that died before SIGCHLD was blocked */
    int status;
    reaper.childless = getpid() != 1 && child_wait(-1, &status, NULL) < 0;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        log_line("cannot become a subreaper: %s", strerror(errno));
}

/*
 * One SIGCHLD may stand for many deaths, signal(7). Dead drivers are found by the end of their
 * sockets. Any other dead child can be found only by trying all children, which takes a millisecond
 * with 10,000. So that search runs a moment later, once for all deaths until then. It finds
 * orphans, drivers whose end of the socket another process holds open, and children that we
 * inherited (as process 1, or because they were there before our exec).
 */
void
child_died(pid_t hint)
{
    child_reap(hint);
    fleet_look_at_ended();
    if (!deadline_is_set(&reaper.sweep))
        deadline_start(&reaper.sweep, DEADLINE_SWEEP);
}

void
drivers_reap_ended(void)
{
    struct list *ended = fleet_ended(), *next;

    if (ended == NULL)
        return;
    for (struct list *link = ended->next; link != ended; link = next) {
        next = link->next;
        child_reap(container_of(link, struct driver, ended)->pid);
    }
}

void
children_sweep(void)
{
    deadline_stop(&reaper.sweep);
    while (child_reap(-1))
        ;
}

/* Starts the deadline anew, so that the driver is killed again until it is gone. */
void
driver_exit_timed_out(struct driver *driver)
{
    if (child_reap(driver->pid))
        return;
    log_line("driver %d did not exit in time: killed", driver->pid);
    driver_kill(driver);
    deadline_start(&driver->deadline, DEADLINE_EXIT);
}

/* ---- orphans --------------------------------------------------------------------------------- */

bool
orphans_expected(void)
{
    return reaper.orphans != ORPHANS_NONE;
}

void
orphans_look_again(void)
{
    if (reaper.orphans == ORPHANS_EXPECTED)
        reaper.orphans = ORPHANS_LOOK;
}

/* Whether a child was left by a dropped driver: it is in the session of that driver's job. A
 * session that began outside of our pid namespace has number 0, and is no job's. */
static bool
orphan_of_dropped(pid_t pid)
{
    const struct list *dropped = fleet_dropped();
    pid_t session = getsid(pid);

    for (struct list *link = dropped->next; session > 0 && link != dropped; link = link->next) {
        struct driver *driver = container_of(link, struct driver, by_age);
        if (driver->job_pid == session) {
            driver->left_orphans = true;
            return true;
        }
    }
    return false;
}

/* Kills a child, and its process group, if a driver has left it. A job has its own session, so a
 * child in our session is no orphan: it is a driver, or was there before our exec. Returns whether
 * the child is an orphan. It is not reaped yet, so the pid is still its own. */
static bool
orphan_kill(pid_t pid, void *none)
{
    (void)none;
    if (driver_find(pid) != NULL || getsid(pid) == getsid(0))
        return false;
    if (!reaper.childless && !orphan_of_dropped(pid))
        return false;
    pid_t group = getpgid(pid);
    if (group > 0)
        kill(-group, SIGKILL);
    kill(pid, SIGKILL); /* it may have changed its group since */
    return true;
}

static void
drivers_set_left_orphans(bool left)
{
    const struct list *dropped = fleet_dropped();

    for (struct list *link = dropped->next; link != dropped; link = link->next)
        container_of(link, struct driver, by_age)->left_orphans = left;
}

/*
 * A driver that had jobs was killed or has failed. The processes that it left are our children now,
 * because we are a subreaper, and are killed. The children of those are found when they are reaped.
 */
void
orphans_kill(void)
{
    if (reaper.orphans != ORPHANS_LOOK)
        return;
    spare_fd_lend();
    drivers_set_left_orphans(false);
    switch (children_each(orphan_kill, NULL)) {
    case CHILDREN_NONE:
        reaper.orphans = ORPHANS_NONE;
        break;
    case CHILDREN_FOUND:
        reaper.orphans = ORPHANS_EXPECTED;
        break;
    case CHILDREN_UNKNOWN:
        log_line("cannot look for what a driver has left: %s", strerror(errno));
        drivers_set_left_orphans(true);
        reaper.orphans = ORPHANS_EXPECTED;
        break;
    case CHILDREN_NO_PROC:
        log_line("cannot look for what a driver has left: %s", strerror(errno));
        reaper.orphans = ORPHANS_NONE;
        break;
    }
    spare_fd_return();
    if (reaper.orphans != ORPHANS_NONE)
        retry_later(); /* in case none of them is reaped before that */
}

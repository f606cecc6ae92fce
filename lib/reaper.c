#include "reaper.h"

#include "answer.h"
#include "barrier.h"
#include "channel.h"
#include "children.h"
#include "clock.h"
#include "create.h"
#include "family.h"
#include "job_life.h"
#include "keeper.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "spawn.h"
#include "stats.h"
#include "suspects.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ORPHANS_MAX_S = 5,    /* how long a job waits for the end of what its dead driver has left */
    SWEEP_DELAY_MS = 100, /* how long a dead child that only a search can find may wait */
    SWEEP_MS = 1,         /* how long a turn may reap, if many have died at once */
    SWEEP_GO_ON_MS = 3,   /* how long the rest of them wait then */
    LAST_SWEEP_MS = 200,  /* at the end, where nobody waits */
    KILL_AGAIN_MS = 1000, /* a driver that cannot be killed or reaped */
    GIVE_UP_MS = 4500, /* for the end of what was killed at a stop: a busy machine takes longer */
    GIVE_UP_AT_ONCE_MS = 900, /* the same, if the server is asked to stop at once */
    /* How long we kill orphans once more when the time for that is over. A busy machine gives us
     * more time. */
    LAST_TURNS = 50 / FAMILY_TURN_MS,
};

enum orphans {
    ORPHANS_NONE,
    ORPHANS_EXPECTED, /* a driver may have left children, which must be killed */
    ORPHANS_LOOK,     /* the same, and this turn searches for them */
};

static struct {
    enum orphans orphans;
    struct deadline sweep;   /* DEADLINE_SWEEP */
    struct deadline give_up; /* DEADLINE_GIVE_UP, set when the drivers are killed at a stop */
    bool gave_up;            /* its time is over: what is left cannot be killed or reaped */
    bool no_proc_logged;
    bool failure_logged;      /* the search for orphans has failed for lack of something */
    int64_t failing_since_ns; /* since when it has failed each time; 0: it works */
    struct family family;     /* the orphans, while they are being ended */
} reaper;

/* ---- a driver's death ------------------------------------------------------------------------ */

static void
call_end_died(struct call *call, int status)
{
    call->status = status;
    call_end(call, phase_stopping() ? OUTCOME_STOPPING : OUTCOME_DIED);
}

/* The driver was sent the job of the call, but what it said about that was not read, because it was
 * killed for what it said before, or for its silence. So it may have begun the job, which ends when
 * nothing is left of it. */
static void
job_end_untold(struct driver *driver, struct call *call)
{
    struct job_result lost = {.ending = JOB_LOST, .reason = REASON_DIED, .value = driver->status};

    if (driver->job != NULL) {
        job_end(call->job, &lost);
        return;
    }
    call->job->state = JOB_RUNNING;
    driver->job = call->job;
    driver->job_taken_ns = call->deadline.at_ns - options.reply_timeout_ns; /* when it was sent */
    driver_call_goes_on(driver, call);
}

/* Ends the calls in one of the driver's lists. A job that the driver has not taken may go to
 * another driver. The call of the job that it has taken waits until nothing is left of that job. */
static void
calls_end_died(struct driver *driver, struct list *calls, int status)
{
    bool untold = driver->unheard && calls == &driver->in_flight;
    struct list *next;

    for (struct list *link = calls->next; link != calls; link = next) {
        struct call *call = container_of(link, struct call, of_driver);
        next = link->next;
        call->status = status;
        if (call->job == NULL)
            call_end_died(call, status);
        else if (call->job->state == JOB_WAITING && untold)
            job_end_untold(driver, call);
        else if (call->job->state == JOB_WAITING)
            driver_job_not_begun(driver, call, OUTCOME_DIED);
    }
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

/* The driver will not answer any more: ends the calls that wait for it, and the waits. */
static void
driver_end_calls(struct driver *driver, int status)
{
    if (driver->death != NULL)
        call_end(driver->death, driver->reaped ? OUTCOME_DELETED : OUTCOME_STOPPING);
    driver->death = NULL;
    create_failed(driver, status);
    calls_end_died(driver, &driver->ongoing, status);
    calls_end_died(driver, &driver->queued, status);
    calls_end_died(driver, &driver->in_flight, status);
    wire_set_text(&driver->wire, NULL);
    while (!list_empty(&driver->awaited))
        call_end_died(clients_resume_first(&driver->awaited), status);
}

/* The driver was reaped. Reads what it said before it died, then handles its death, then drops
 * it. */
static void
driver_reaped(struct driver *driver, int status)
{
    driver->reaped = true;
    driver->status = status;
    while (driver_receive(driver))
        ;
    driver_close(driver);
    driver_unlist(driver);
    stats.tasks_cancelled_at_stop += driver->work == PROTO_ON_TASK && phase_stopping();
    driver_log_end(driver, status);
    if (driver->kept)
        keeper_ended(driver);
    driver_end_calls(driver, status);
    bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0 || driver->job != NULL;
    if (driver->ran && (failed || driver->left_orphans))
        reaper.orphans = ORPHANS_LOOK;
    fleet_remove(driver);
}

static void
sweep_soon(void)
{
    if (!deadline_is_set(&reaper.sweep))
        deadline_start_for(&reaper.sweep, DEADLINE_SWEEP, SWEEP_DELAY_MS * NS_PER_MS);
}

/* ---- jobs of dead drivers -------------------------------------------------------------------- */

/* If the process was the first of a job whose driver died or was killed, notes how it ended, unless
 * it is known that it ended by itself. */
static void
orphan_reaped(pid_t pid, int status)
{
    struct driver *driver = NULL;

    while ((driver = suspect_next(driver)) != NULL)
        if (driver->job_pid == pid && driver->first != FIRST_ENDED)
            driver->first = first_status(status);
}

/* Returns how the job of a dead driver has ended: by a timeout, if the driver was killed because it
 * did not end the job; as cancelled, if somebody asked for the end of the job or its driver;
 * otherwise nobody knows. A cancel_task counts only if the driver had its time to end the job. The
 * first two are said only of a job whose first process had not ended by itself. */
static struct job_result
job_result_of_dead(const struct driver *driver)
{
    bool cancelled = driver->job->cancelled || (driver->job_overdue && driver->job_asked);
    bool asked = driver->end >= END_ASKED || cancelled;

    if (driver->first == FIRST_RAN_ON && driver->job_overdue && !cancelled)
        return (struct job_result){.ending = JOB_TIMEOUT};
    if (driver->first == FIRST_RAN_ON && asked)
        return (struct job_result){.ending = JOB_CANCELLED};
    bool in_vain = asked && driver->killed && !driver->unheard; /* it had the grace period */
    return (struct job_result){
        .ending = JOB_LOST,
        .reason = driver->job_overdue || in_vain || !driver->reaped ? REASON_OVERDUE : REASON_DIED,
        .value = driver->status,
    };
}

/* Whether the reply can say that the job is Done: nothing is left of it, or what is left cannot be
 * ended. */
static bool
lost_job_is_over(const struct driver *driver)
{
    bool none_left = driver->reaped && reaper.orphans == ORPHANS_NONE;

    return none_left || reaper.gave_up ||
           clock_turn_ns - driver->ended_ns >= ORPHANS_MAX_S * NS_PER_S;
}

/* Ends the jobs of dead drivers. */
static void
lost_jobs_end(void)
{
    struct driver *driver = NULL;

    while ((driver = suspect_next(driver)) != NULL) {
        if (driver->job == NULL || !lost_job_is_over(driver))
            continue;
        struct job_result result = job_result_of_dead(driver);
        result.elapsed_us = (uint64_t)((clock_turn_ns - driver->job_taken_ns) / NS_PER_US);
        job_of_driver_end(driver, &result);
    }
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
    if (driver != NULL) {
        driver_reaped(driver, status);
    } else {
        orphan_reaped(dead, status);
        orphans_look_again();
    }
    return true;
}

/* Logs, once, that no search for children is possible. */
static void
no_proc_log(int error)
{
    if (reaper.no_proc_logged)
        return;
    reaper.no_proc_logged = true;
    if (error == ENOENT)
        log_line("no /proc of our own pid namespace: jobs are ended as process groups only");
    else
        log_line("cannot look into /proc: %s: jobs are ended as process groups only",
                 strerror(error));
}

static bool
child_is_none(pid_t pid, void *none)
{
    (void)pid;
    (void)none;
    return false;
}

void
reaper_open(void)
{
    int status;

    deadline_init(&reaper.sweep);
    deadline_init(&reaper.give_up);
    while (child_reap(-1)) /* those that died before SIGCHLD was blocked */
        ;
    if (getpid() == 1 || child_wait(-1, &status, NULL) == 0)
        fleet_note_siblings();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        log_line("cannot become a subreaper: %s", strerror(errno));
    if (children_each(child_is_none, NULL) == CHILDREN_NO_PROC)
        no_proc_log(errno);
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
    sweep_soon();
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
    if (!list_empty(ended))
        sweep_soon(); /* there may be no SIGCHLD: the tracer of a dead child gets it, ptrace(2) */
}

/* Reaps dead children for that long. Returns false if there may be more. */
static bool
children_reap(int64_t milliseconds)
{
    int64_t until_ns = clock_ns() + milliseconds * NS_PER_MS;

    while (child_reap(-1))
        if (clock_ns() >= until_ns)
            return false;
    return true;
}

/* Thousands of orphans may die at once, or, if they fork, as fast as we reap them. So that nothing
 * else has to wait, a turn reaps for SWEEP_MS only, and the rest waits for SWEEP_GO_ON_MS. */
void
children_sweep(void)
{
    deadline_stop(&reaper.sweep);
    if (!children_reap(SWEEP_MS))
        deadline_start_for(&reaper.sweep, DEADLINE_SWEEP, SWEEP_GO_ON_MS * NS_PER_MS);
    if (stuck_next(NULL) != NULL) {
        reaper.orphans = ORPHANS_LOOK;
        sweep_soon();
    }
}

/* Starts the deadline anew, so that the driver is killed again until it is gone; but not with the
 * grace period, which may be too short for that. */
void
driver_exit_timed_out(struct driver *driver)
{
    if (child_reap(driver->pid))
        return;
    if (!driver->killed)
        log_line("driver %d did not exit in time: killed", driver->pid);
    driver_kill(driver);
    sweep_soon();
    deadline_start_for(&driver->deadline, DEADLINE_EXIT, KILL_AGAIN_MS * NS_PER_MS);
}

/* ---- orphans --------------------------------------------------------------------------------- */

void
orphans_look_again(void)
{
    if (reaper.orphans == ORPHANS_EXPECTED)
        reaper.orphans = ORPHANS_LOOK;
}

/* The search has failed for lack of something. Logs that, once until all orphans are gone. Returns
 * whether to try again. */
static bool
search_again(int error)
{
    if (!reaper.failure_logged)
        log_line("cannot look for what a driver has left: %s", strerror(error));
    reaper.failure_logged = true;
    if (reaper.failing_since_ns == 0)
        reaper.failing_since_ns = clock_turn_ns;
    return clock_turn_ns - reaper.failing_since_ns < ORPHANS_MAX_S * NS_PER_S;
}

/* Goes on to end the orphans. Returns FAMILY_UNKNOWN if that has failed, but must be tried
 * again. */
static enum family_found
orphans_end(void)
{
    spare_fd_lend();
    enum family_found found = family_end(&reaper.family, child_is_orphan);
    int error = errno;
    spare_fd_return();
    if (found == FAMILY_UNKNOWN && !search_again(error))
        found = FAMILY_NO_PROC;
    else if (found != FAMILY_UNKNOWN)
        reaper.failing_since_ns = 0;
    if (found == FAMILY_NO_PROC)
        no_proc_log(error);
    return found;
}

static void
orphans_none(void)
{
    reaper.orphans = ORPHANS_NONE;
    reaper.failure_logged = false;
    reaper.failing_since_ns = 0;
}

/*
 * A driver that had jobs was killed or has failed. The processes that it left are our children now,
 * because we are a subreaper, and are killed with all their descendants. While a pass over them is
 * under way, left_orphans keeps what its beginning has found.
 */
static void
orphans_search(void)
{
    if (reaper.orphans != ORPHANS_LOOK)
        return;
    if (reaper.family.count == 0)
        suspects_set_left_orphans(false);
    switch (orphans_end()) {
    case FAMILY_NONE:
        orphans_none();
        return;
    case FAMILY_STOPPING:
        return; /* the next turn comes at once, see orphans_under_way() */
    case FAMILY_KILLED:
        break;
    case FAMILY_UNKNOWN:
        suspects_set_left_orphans(true);
        break;
    case FAMILY_NO_PROC:
        if (!suspects_kill_groups()) {
            orphans_none();
            return;
        }
        break;
    }
    reaper.orphans = ORPHANS_EXPECTED;
    retry_later(); /* in case no orphan is reaped before that */
}

void
orphans_kill(void)
{
    orphans_search();
    lost_jobs_end();
}

void
orphans_kill_now(void)
{
    int error = errno;

    reaper.family.stopping_ns = -1;
    for (int i = 0; i < LAST_TURNS && orphans_end() == FAMILY_STOPPING; i++)
        ;
    errno = error;
}

bool
orphans_under_way(void)
{
    return reaper.orphans == ORPHANS_LOOK;
}

/* ---- what is left at the end ----------------------------------------------------------------- */

bool
reaper_expects(void)
{
    return !reaper.gave_up && (fleet_next(NULL) != NULL || reaper.orphans != ORPHANS_NONE);
}

/* Whoever asks for a stop at once again and again does not make it later. */
void
reaper_give_up_later(bool at_once)
{
    int64_t timeout_ns = (at_once ? GIVE_UP_AT_ONCE_MS : GIVE_UP_MS) * NS_PER_MS;
    bool earlier =
        !deadline_is_set(&reaper.give_up) || clock_turn_ns + timeout_ns < reaper.give_up.at_ns;

    if (reaper.gave_up || !earlier)
        return;
    deadline_set(DEADLINE_GIVE_UP, timeout_ns);
    deadline_start(&reaper.give_up, DEADLINE_GIVE_UP);
    reaper.family.stopping_ns = timeout_ns / 4;
    sweep_soon();
}

void
reaper_give_up(void)
{
    deadline_stop(&reaper.give_up);
    reaper.gave_up = true;
    orphans_kill_now();
    for (struct driver *driver = NULL; (driver = fleet_next(driver)) != NULL;) {
        while (driver_receive(driver))
            ;
        driver_close(driver);
        driver_end_calls(driver, 0);
    }
}

static void
survivors_add_orphan(pid_t pid, void *survivors)
{
    if (driver_find(pid) == NULL)
        survivors_add(survivors, pid);
}

/* Adds what is left of jobs, with all that descends from it. Without a /proc of our own that is
 * their process groups, each by the pid of its first process. */
static void
survivors_add_orphans(struct survivors *survivors)
{
    spare_fd_lend();
    enum family_found found =
        family_list(&reaper.family, child_is_orphan, survivors_add_orphan, survivors);
    spare_fd_return();
    if (found != FAMILY_STOPPING && found != FAMILY_NONE)
        suspects_add_groups(survivors);
}

void
reaper_close(void)
{
    struct survivors survivors = {.size = 0};

    children_reap(LAST_SWEEP_MS);
    children_sweep();
    for (const struct driver *driver = NULL; (driver = fleet_next(driver)) != NULL;)
        survivors_add(&survivors, driver->pid);
    if (spawn_hangs() != 0)
        survivors_add(&survivors, spawn_hangs());
    if (reaper.orphans != ORPHANS_NONE)
        survivors_add_orphans(&survivors);
    survivors_flush(&survivors);
}

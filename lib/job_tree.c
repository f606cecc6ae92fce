#include "job_tree.h"

#include "children.h"
#include "clock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STOP_AGAIN_MS = 1,  /* while the job's processes are being stopped */
    LOOK_AGAIN_MS = 10, /* after KILL, whether anything is left */
    REAPED_MAX = 64,    /* in one call: if processes fork fast, they may die as fast as we reap */
    /* How long we kill what is left of a job that we abandon. A busy machine gives us more time. */
    ABANDON_TURNS = 200 / FAMILY_TURN_MS,
};

/* ---- signals to the job ---------------------------------------------------------------------- */

/* Whether a child of ours belongs to the job: children in our own session were there before us. */
static bool
job_owns(pid_t pid)
{
    return getsid(pid) != getsid(0);
}

static bool
job_owns_child(pid_t pid, void *none)
{
    (void)none;
    return job_owns(pid);
}

/* A search for children needs a descriptor, and there may be no free one; so we lend it the number
 * of our standard output, which we do not use. */
static void
stdout_lend(void)
{
    close(STDOUT_FILENO);
}

static void
stdout_return(void)
{
    dup2(STDIN_FILENO, STDOUT_FILENO); /* both are /dev/null */
}

/* Asks all of the job's processes to end, including stopped ones. Returns how many there are.
 * Without a /proc of our own, we reach only the job's process group, and count it as one. */
static unsigned
job_ask(struct job_tree *job)
{
    bool group = child_in_group(job->pid);
    unsigned count;

    stdout_lend();
    enum family_found found = family_ask(&job->family, job_owns, group ? job->pid : 0, &count);
    stdout_return();
    return found == FAMILY_STOPPING || found == FAMILY_NONE ? count : group;
}

/* Sends KILL to the job's processes, see family_end(). Without a /proc of our own, we reach only
 * the job's process group. */
static enum family_found
job_end_family(struct job_tree *job)
{
    stdout_lend();
    enum family_found found = family_end(&job->family, job_owns);
    stdout_return();
    if (found != FAMILY_NO_PROC)
        return found;
    return child_in_group(job->pid) && kill(-job->pid, SIGKILL) == 0 ? FAMILY_KILLED : FAMILY_NONE;
}

/* Whether any child of ours belongs to the job, or may. */
static bool
job_has_left(const struct job_tree *job)
{
    stdout_lend();
    enum children found = children_each(job_owns_child, NULL);
    stdout_return();
    return found == CHILDREN_NO_PROC ? child_in_group(job->pid) : found != CHILDREN_NONE;
}

/* ---- the end of the job ---------------------------------------------------------------------- */

/* Whether the job's first process has not been reaped yet; only then is job->pid still its own. */
static bool
job_first_runs(const struct job_tree *job)
{
    return job->stage == JOB_RUNS || job->stage == JOB_TERMINATED || job->stage == JOB_KILLED;
}

static uint64_t
microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* The job's first process was reaped. If the job was asked to end, what is left of it keeps the
 * rest of the grace period. Otherwise that may stay for a moment, but not beyond the time limit. */
static void
job_first_ended(struct job_tree *job, int status, const struct rusage *usage)
{
    struct proto_result *result = &job->result;
    int64_t lingers_until_ns = clock_turn_ns + (int64_t)job->child.run.linger_ms * NS_PER_MS;

    if (job->stage == JOB_RUNS && lingers_until_ns < job->look_ns)
        job->look_ns = lingers_until_ns;
    job->stage = job->stage == JOB_RUNS         ? JOB_LINGERS
                 : job->stage == JOB_TERMINATED ? JOB_REST_TERMINATED
                                                : JOB_REST_KILLED;
    if (result->outcome == 0) { /* we did not end it */
        bool exited = WIFEXITED(status);
        result->outcome = exited ? PROTO_EXITED : PROTO_SIGNALLED;
        result->status = (uint32_t)(exited ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    result->user_us = microseconds(&usage->ru_utime);
    result->system_us = microseconds(&usage->ru_stime);
    result->maxrss_kb = (uint64_t)usage->ru_maxrss;
}

/* Nothing is left of the job: completes the result. */
static void
job_ended(struct job_tree *job)
{
    job->stage = JOB_NONE;
    job->result.elapsed_us = (uint64_t)((clock_turn_ns - job->started_ns) / NS_PER_US);
}

/* Kills what is left of the job, and has job_tree_look() called a moment later. If nothing was
 * left, the job has ended. */
static void
job_kill(struct job_tree *job)
{
    bool first_runs = job_first_runs(job);

    job->stage = first_runs ? JOB_KILLED : JOB_REST_KILLED;
    switch (job_end_family(job)) {
    case FAMILY_NONE:
        if (!first_runs) {
            job_ended(job);
            return;
        }
        break;
    case FAMILY_STOPPING:
        job->look_ns = clock_turn_ns + STOP_AGAIN_MS * NS_PER_MS;
        return;
    case FAMILY_UNKNOWN:
        if (first_runs)
            kill(-job->pid, SIGKILL);
        break;
    case FAMILY_KILLED:
    case FAMILY_NO_PROC: /* job_end_family() does not return this */
        break;
    }
    job->look_ns = clock_turn_ns + LOOK_AGAIN_MS * NS_PER_MS;
}

static void
job_terminate(struct job_tree *job, enum proto_outcome outcome, int64_t grace_ns)
{
    job->stage = JOB_TERMINATED;
    job->result.outcome = outcome;
    job->look_ns = clock_turn_ns + grace_ns;
    job_ask(job);
}

/* What the job's first process has left may linger no longer: asks it to end. */
static void
job_terminate_rest(struct job_tree *job, int64_t grace_ns)
{
    job->stage = JOB_REST_TERMINATED;
    job->look_ns = clock_turn_ns + grace_ns;
    job->result.left = job_ask(job);
}

void
job_tree_reap(struct job_tree *job)
{
    struct rusage usage;
    int status, reaped = 0;
    bool first_died = false;
    /* The first process comes first, since many others may have died. */
    pid_t pid = job_first_runs(job) ? child_wait(job->pid, &status, &usage) : 0;

    for (; pid > 0 || (pid = child_wait(-1, &status, &usage)) > 0; pid = 0) {
        if (job_first_runs(job) && pid == job->pid) {
            job_first_ended(job, status, &usage);
            first_died = true;
        }
        if (++reaped == REAPED_MAX)
            break;
    }
    if (reaped == REAPED_MAX)
        raise(SIGCHLD); /* it is blocked; the loop calls us again after its other events */
    if (job->stage <= JOB_TAKEN || job_first_runs(job))
        return;
    if (pid < 0) /* there are no more children */
        job_ended(job);
    else if (job->stage == JOB_REST_KILLED)
        job_kill(job);
    else if (reaped > 0 && !job_has_left(job))
        job_ended(job);
    else if (first_died && job->stage == JOB_REST_TERMINATED)
        job_ask(job); /* again: processes that have started since */
}

void
job_tree_look(struct job_tree *job)
{
    job_tree_reap(job); /* which may find that the job has ended, or kill what is left */
    if (job->stage <= JOB_TAKEN || clock_turn_ns < job->look_ns)
        return;
    if (job->stage == JOB_RUNS)
        job_terminate(job, PROTO_TIMED_OUT, job->grace_ns);
    else if (job->stage == JOB_LINGERS)
        job_terminate_rest(job, job->grace_ns);
    else
        job_kill(job);
}

/* Ends a job that has not begun. */
static void
job_drop(struct job_tree *job)
{
    job->stage = JOB_NONE;
    job->result.outcome = PROTO_CANCELLED;
}

void
job_tree_terminate(struct job_tree *job, enum proto_outcome outcome, int64_t grace_ns)
{
    job_tree_reap(job); /* it may have ended, and we have not noticed yet */
    if (job->stage == JOB_TAKEN)
        job_drop(job);
    else if (job->stage == JOB_RUNS)
        job_terminate(job, outcome, grace_ns);
    else if (job->stage == JOB_LINGERS)
        job_terminate_rest(job, grace_ns);
    else if (clock_turn_ns + grace_ns < job->look_ns)
        job->look_ns = clock_turn_ns + grace_ns;
}

void
job_tree_kill(struct job_tree *job, int64_t stopping_ns)
{
    if (job->stage == JOB_TAKEN)
        job_drop(job);
    if (job->stage == JOB_NONE)
        return;
    if (job->stage == JOB_RUNS)
        job->result.outcome = PROTO_CANCELLED;
    job->family.stopping_ns = stopping_ns;
    job_kill(job);
}

void
job_tree_abandon(struct job_tree *job)
{
    if (job->stage <= JOB_TAKEN)
        return;
    job->family.stopping_ns = -1;
    for (int i = 0; i < ABANDON_TURNS && job_end_family(job) == FAMILY_STOPPING; i++)
        ;
}

/* ---- the start of the job -------------------------------------------------------------------- */

/* The job has not begun: completes the result. */
static void
job_unrun(struct job_tree *job, enum proto_cause cause, int error)
{
    job->stage = JOB_NONE;
    job->result =
        (struct proto_result){.outcome = PROTO_UNRUN, .cause = cause, .status = (uint32_t)error};
}

void
job_tree_take(struct job_tree *job, const struct proto_frame *request, const void *data,
              int directory)
{
    job_child_set(&job->child, request, data, directory);
    job->grace_ns = (int64_t)job->child.run.grace_ms * NS_PER_MS;
    job->result = (struct proto_result){0};
    job->stage = JOB_TAKEN;
}

void
job_tree_start(struct job_tree *job)
{
    struct job_child *child = &job->child;

    job->started_ns = clock_ns();
    job->look_ns = job->started_ns + (int64_t)child->run.limit_ms * NS_PER_MS;
    if ((uint64_t)job->started_ns >= child->run.expires_ns) {
        job_unrun(job, PROTO_CAUSE_LATE, 0);
        return;
    }
    job->pid = job_child_start(child);
    if (job->pid >= 0)
        job->stage = JOB_RUNS;
    else
        job_unrun(job, child->cause, child->error); /* job_tree_reap() reaps a dead child */
}

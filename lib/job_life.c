#include "job_life.h"

#include "clients.h"
#include "clock.h"
#include "format.h"
#include "giver.h"
#include "job_result.h"
#include "joblog.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "relay.h"
#include "slot.h"
#include "stats.h"
#include "tally.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    LIMIT_MARGIN_MS = 3000, /* on a busy machine the end of a job may be reported this late */
    LATE_MS = 1000,         /* on a busy machine we are not this late, unless we were stopped */
};

static struct {
    bool halted;      /* see client_halted() */
    bool halted_anew; /* see batch_has_halted() */
    char why[64];
} batch = {.why = "halted by an Error"};

static uint64_t jobs_submitted; /* submitted jobs that have not begun */

/* Whether the client is a batch: standard input without a prompt. */
static bool
client_is_batch(const struct client *client)
{
    return client == &console && client->prompt == PROMPT_NONE;
}

/* The call owns the job from now on. */
static void
call_own_job(struct call *call, struct job *job)
{
    struct client *client = call->request->client;

    call->job = job;
    call->runs_job = true;
    job->call = call;
    job->batch = client_is_batch(client);
    job->shown = call->request->format->shows_command;
    client->jobs++;
    client->owed -= JOB_OWED;
    client->gave_jobs = true;
}

void
job_take(struct call *call, struct job *job)
{
    call_own_job(call, job);
    job_number(job);
    stats.jobs_live++;
    joblog_step(job, STEP_WAITING);
}

void
job_submit(struct call *call, struct job *job, struct giver *giver)
{
    call->job = job;
    job->call = call;
    job->giver = giver;
    giver->jobs++;
    job_number(job);
    stats.jobs_live++;
    jobs_submitted++;
    joblog_step(job, STEP_WAITING);
}

void
job_adopt(struct job *job, struct client *client)
{
    job->batch = client_is_batch(client);
    client->gave_jobs = true;
}

uint64_t
jobs_submitted_waiting(void)
{
    return jobs_submitted;
}

/* Counts a job that begins, or that waits again or ends after it had a driver. */
static void
job_count_begun(const struct job *job, bool begun)
{
    stats.jobs_begun += begun ? 1 : UINT64_C(-1);
    if (job->giver == NULL)
        return;
    job->giver->begun += begun ? 1U : -1U;
    jobs_submitted += begun ? UINT64_C(-1) : 1;
}

/* With --listen the server serves others, too, and its status is not about the batch. */
static void
batch_failed(void)
{
    if (!options_serve_others())
        phase_job_failed();
}

/* A job of the batch has failed, or its command got an Error (NULL). No more of the batch is read,
 * and what was read does not run. */
static void
batch_halt(const struct job *job)
{
    if (options.halt == HALT_NEVER || batch.halted || phase_stopping())
        return;
    batch.halted = batch.halted_anew = true;
    if (job != NULL)
        snprintf(batch.why, sizeof(batch.why), "halted by job %" PRIu64, job->number);
    log_line("%s", batch.why);
    if (console.input_state == INPUT_OPEN)
        console.input_state = INPUT_ENDED;
    client_wake(&console);
}

const char *
client_halted(const struct client *client)
{
    return batch.halted && client == &console ? batch.why : NULL;
}

bool
batch_has_halted(void)
{
    bool anew = batch.halted_anew;

    batch.halted_anew = false;
    return anew;
}

void
client_unfinished(const struct client *client)
{
    if (client_is_batch(client))
        batch_failed();
}

void
client_job_refused(const struct client *client)
{
    if (!client_is_batch(client))
        return;
    tally_job_refused();
    batch_failed();
    batch_halt(NULL);
}

/* The job gives back its slot, if it has one. */
static void
job_leave_slot(struct job *job)
{
    if (job->slot == 0)
        return;
    slot_return(job->slot);
    job->slot = 0;
    job_count_begun(job, false);
}

bool
job_assign(struct job *job, const struct driver *driver)
{
    job->driver_pid = driver->pid;
    job->slot = slot_take();
    job_count_begun(job, true);
    return joblog_step(job, STEP_RUNNING);
}

bool
job_is_halted(const struct job *job)
{
    return batch.halted && job->batch;
}

void
job_return(struct job *job)
{
    job_leave_slot(job);
    job->state = JOB_WAITING;
    if (!job->cancelled)
        joblog_step(job, STEP_WAITING);
    if (job->named_pid == 0)
        job->driver_pid = 0;
}

static void
job_tell_waiters(struct job *job)
{
    while (!list_empty(&job->waiters)) {
        struct call *waiter = container_of(job->waiters.next, struct call, of_driver);
        waiter->job = job;
        job->users++;
        job->shown |= waiter->request->format->shows_command;
        call_end(waiter, OUTCOME_DONE);
    }
}

void
job_refuse(struct job *job)
{
    job_leave_slot(job);
    stats.jobs_live--;
    job_number_return(job, options.log_path == NULL && list_empty(&job->waiters));
    job->result = (struct job_result){.ending = JOB_UNRUN, .reason = REASON_REFUSED};
    joblog_step(job, STEP_DONE);
    job_tell_waiters(job);
    client_job_refused(job->call->request->client);
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* How long a driver may take to end a job that it ends now. */
static int64_t
job_end_timeout_ns(void)
{
    return options.grace_ns + LIMIT_MARGIN_MS * NS_PER_MS;
}

/* Starts the deadline by which a working driver has ended the job. If the job ends by itself, that
 * is earlier. */
void
job_begin(struct driver *driver, struct call *call)
{
    struct job *job = call->job;
    int64_t limit_ns = (int64_t)job->limit_ms * NS_PER_MS;

    job->state = JOB_RUNNING;
    driver->job = job;
    driver->job_asked = false;
    if (!driver->killed) /* otherwise driver_kill() has looked at the process already */
        driver->first = FIRST_UNKNOWN;
    driver->job_taken_ns = clock_turn_ns;
    deadline_start_for(&driver->job_deadline, DEADLINE_JOB, limit_ns + job_end_timeout_ns());
    stats.jobs++;
}

void
job_begun(struct driver *driver, pid_t pid)
{
    driver->job_pid = pid;
    if (driver->job != NULL)
        first_log(driver->job, pid);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Logs the end of each job if that was asked for. Otherwise logs the failures that may go
 * unnoticed: in a batch, whose replies are often not read, of submitted jobs, and of clients that
 * are gone. The jobs that such a client left waiting get one line together, see loss.h. */
static void
job_log_end(const struct job *job)
{
    const struct job_result *result = &job->result;
    char text[RESULT_SIZE];
    bool stopped = result->why == batch.why || result->reason == REASON_STOPPING;
    bool failed = !result_is_good(result) && result->ending != JOB_CANCELLED && !stopped;
    bool unnoticed = false;

    if (result->left > 0)
        log_line("job %" PRIu64 " left %" PRIu32 " %s", job->number, result->left,
                 result->left == 1 ? "process" : "processes");
    if (job->call != NULL && job->call->request != NULL && result->reason == REASON_CLIENT_GONE)
        loss_add_job(&job->call->request->client->loss, job->number, job->text);
    else if (failed && (job->batch || job->call == NULL || job->giver != NULL))
        unnoticed = true;
    if (!options.verbose && !unnoticed)
        return;
    struct span command = job_text_logged(job->text);
    job_result_text(job, text);
    if (result->ending == JOB_UNRUN)
        log_line("job %" PRIu64 " Done %s: %.*s", job->number, text, (int)command.size, command.at);
    else
        log_line("job %" PRIu64 " Done %s after %" PRIu64 ".%03u s: %.*s", job->number, text,
                 result->elapsed_us / 1000000, (unsigned)(result->elapsed_us / 1000 % 1000),
                 (int)command.size, command.at);
}

static void
job_count_end(const struct job *job)
{
    const struct job_result *result = &job->result;

    stats.jobs_failed += result_has_number(result) && !result_is_good(result);
    stats.jobs_timed_out += result->ending == JOB_TIMEOUT;
    stats.jobs_lost += result->ending == JOB_LOST;
    stats.jobs_dropped += result->reason == REASON_CLIENT_GONE;
    stats.left += result->left;
    if (phase_stopping() || batch.halted) {
        stats.jobs_cancelled_at_stop += result->ending == JOB_CANCELLED;
        stats.jobs_unrun_at_stop += result->ending == JOB_UNRUN;
    }
}

/* Ends the calls that wait for the job's end. The caller uses the job no longer. */
static void
job_tell_end(struct job *job)
{
    job_tell_waiters(job);
    if (!job->past)
        job_keep_end(job);
    struct call *call = job->call;
    job->call = NULL;
    if (call == NULL) {
        job_free(job);
        return;
    }
    if (call->request == NULL) {
        call->job = NULL;
        job_free(job);
    }
    call_end(call, OUTCOME_DONE); /* with a request, it uses the job until its line is written */
}

/* If the job was submitted, its giver no longer counts it. */
static void
job_leave_giver(struct job *job)
{
    struct giver *giver = job->giver;

    if (giver == NULL)
        return;
    jobs_submitted--; /* it counts as one that waits, since it has given back its slot */
    job->giver = NULL;
    if (--giver->jobs == 0)
        client_wake(&console); /* the end of standard input may wait for that */
    giver_release(giver);
}

void
job_end(struct job *job, const struct job_result *result)
{
    if (job->slot != 0)
        relay_drain(); /* the loop may have seen the end of the job before its output */
    job->state = JOB_DONE;
    job->result = *result;
    job_leave_slot(job);
    if (job->batch && !result_is_good(result))
        batch_failed();
    if (job->batch)
        tally_job_ended(result, job->past);
    if (!job->past) {
        stats.jobs_live--;
        job_count_end(job);
        job_log_end(job);
        joblog_step(job, STEP_DONE);
        if (job->batch && !result_is_good(result) && result->ending != JOB_CANCELLED)
            batch_halt(job);
    }
    job_leave_giver(job);
    if (job->again != NULL)
        resume_ended(job->again, job);
    job_tell_end(job);
}

void
job_end_unbegun(struct job *job)
{
    struct job_result result = {.ending = JOB_CANCELLED};

    if (job_is_halted(job))
        job_unrun_halted(job);
    else
        job_end(job, &result);
}

void
job_recall(struct call *call, struct job *job, const struct past *past)
{
    call_own_job(call, job);
    job->past = true;
    job->number = past->number;
    job->driver_pid = past->driver;
    job_end(job, &past->result);
}

void
job_end_soon(struct driver *driver)
{
    if (driver->job_deadline.at_ns <= clock_turn_ns + job_end_timeout_ns())
        return;
    deadline_stop(&driver->job_deadline);
    deadline_start_for(&driver->job_deadline, DEADLINE_JOB, job_end_timeout_ns());
}

bool
job_gets_time(struct driver *driver)
{
    if (clock_turn_ns - driver->job_deadline.at_ns < LATE_MS * NS_PER_MS)
        return false;
    deadline_stop(&driver->job_deadline);
    deadline_start_for(&driver->job_deadline, DEADLINE_JOB, job_end_timeout_ns());
    return true;
}

void
job_unrun(struct job *job, enum job_reason reason, int value)
{
    struct job_result result = {.ending = JOB_UNRUN, .reason = reason, .value = value};

    job_end(job, &result);
}

void
job_unrun_halted(struct job *job)
{
    struct job_result result = {.ending = JOB_UNRUN, .reason = REASON_TEXT, .why = batch.why};

    job_end(job, &result);
}

void
job_of_driver_end(struct driver *driver, const struct job_result *result)
{
    struct job *job = driver->job;

    driver->job = NULL;
    deadline_stop(&driver->job_deadline);
    if (job != NULL)
        job_end(job, result);
}

/* ---- what a driver says of the end ----------------------------------------------------------- */

static enum job_reason
reason_of(enum proto_cause cause)
{
    switch (cause) {
    case PROTO_CAUSE_OUT:
        return REASON_OUT;
    case PROTO_CAUSE_ERR:
        return REASON_ERR;
    case PROTO_CAUSE_START:
        return REASON_START;
    case PROTO_CAUSE_NONE:
    case PROTO_CAUSE_LATE: /* another driver gets it */
        break;
    }
    return REASON_NONE;
}

struct job_result
job_result_of(const struct proto_result *said)
{
    static const enum job_ending endings[] = {
        [PROTO_EXITED] = JOB_EXIT,       [PROTO_SIGNALLED] = JOB_SIGNAL,
        [PROTO_TIMED_OUT] = JOB_TIMEOUT, [PROTO_CANCELLED] = JOB_CANCELLED,
        [PROTO_UNRUN] = JOB_UNRUN,
    };

    return (struct job_result){
        .ending = endings[said->outcome],
        .reason = reason_of(said->cause),
        .value = (int)said->status,
        .left = said->left,
        .elapsed_us = said->elapsed_us,
        .user_us = said->user_us,
        .system_us = said->system_us,
        .maxrss_kb = said->maxrss_kb,
    };
}

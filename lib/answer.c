#include "answer.h"

#include "awaiting.h"
#include "clock.h"
#include "job_life.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "stats.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

void
driver_condemn_malformed(struct driver *driver, const char *what, unsigned value)
{
    driver->birth_failure = OUTCOME_MALFORMED;
    driver_condemn(driver, "%s %u", what, value);
}

/* ---- the kinds of questions ------------------------------------------------------------------ */

/* When a call that is sent in this turn times out, on CLOCK_MONOTONIC. */
static uint64_t
call_expires_ns(void)
{
    return (uint64_t)(clock_turn_ns + options.reply_timeout_ns);
}

static size_t
task_put(const struct call *call, unsigned char *data)
{
    struct proto_task task = {.duration_ms = call->duration_ms, .expires_ns = call_expires_ns()};

    memcpy(data, &task, sizeof(task));
    return sizeof(task);
}

static size_t
job_put(const struct call *call, unsigned char *data)
{
    const struct job_text *text = call->job->text;
    struct proto_run run = {
        .limit_ms = call->job->limit_ms,
        .grace_ms = (uint64_t)(options.grace_ns / NS_PER_MS),
        .linger_ms = (uint64_t)(options.linger_ns / NS_PER_MS),
        .expires_ns = call_expires_ns(),
        .job = call->job->number,
        .slot = call->job->slot,
        .flags = (options.output_path != NULL ? PROTO_RUN_FILES : 0U) |
                 (fleet_has_siblings() ? PROTO_RUN_TELL : 0U) |
                 (text->is_words ? PROTO_RUN_WORDS : 0U),
    };

    memcpy(data, &run, sizeof(run));
    memcpy(data + sizeof(run), text->bytes, text->size);
    return sizeof(run) + text->size;
}

static size_t
cancel_put(const struct call *call, unsigned char *data)
{
    struct proto_cancel cancel = {.task_id = call->cancelled_id};

    memcpy(data, &cancel, sizeof(cancel));
    return sizeof(cancel);
}

/* Whether the driver refused because it read the question too late, or had something else to do. */
static bool
not_taken_fits(const struct proto_state *state)
{
    return state->refusal == PROTO_REFUSED_LATE ||
           (state->refusal == PROTO_REFUSED_BUSY && state->work != PROTO_FREE);
}

static bool
task_fits(const struct driver *driver, const struct proto_state *state)
{
    (void)driver;
    return not_taken_fits(state) || (state->refusal == PROTO_OK && state->work == PROTO_ON_TASK);
}

static bool
job_fits(const struct driver *driver, const struct proto_state *state)
{
    (void)driver;
    return not_taken_fits(state) || (state->refusal == PROTO_OK && state->work == PROTO_ON_JOB);
}

static bool
status_fits(const struct driver *driver, const struct proto_state *state)
{
    (void)driver;
    return state->refusal == PROTO_OK;
}

static bool
cancel_fits(const struct driver *driver, const struct proto_state *state)
{
    if (state->refusal == PROTO_OK)
        return state->work == PROTO_FREE || driver->work == PROTO_ON_JOB;
    return state->refusal == PROTO_REFUSED_FREE;
}

static void
task_taken(struct driver *driver, struct call *call)
{
    stats.tasks++;
    driver_task_begin(driver, call);
    if (options.verbose)
        log_line("driver %d task of %" PRIu64 ".%03u s started", driver->pid,
                 call->duration_ms / 1000, (unsigned)(call->duration_ms % 1000));
}

/* A job that the driver has asked to end must end soon, whatever its limit is. */
static void
cancel_taken(struct driver *driver, struct call *call)
{
    (void)call;
    if (driver->job == NULL)
        return;
    driver->job_asked = true;
    job_end_soon(driver);
}

const struct question question_task = {
    .type = PROTO_TASK,
    .makes_busy = true,
    .put = task_put,
    .fits = task_fits,
    .taken = task_taken,
};

const struct question question_job = {
    .type = PROTO_RUN,
    .makes_busy = true,
    .is_job = true,
    .goes_on = true,
    .put = job_put,
    .fits = job_fits,
    .taken = job_begin,
};

const struct question question_status = {
    .type = PROTO_STATUS,
    .fits = status_fits,
};

const struct question question_cancel = {
    .type = PROTO_CANCEL,
    .goes_on = true,
    .put = cancel_put,
    .fits = cancel_fits,
    .taken = cancel_taken,
};

void
driver_revoke(struct driver *driver, uint32_t id)
{
    if (driver->source.fd < 0)
        return;
    struct call *call = call_new(NULL, &question_cancel);
    if (call == NULL) {
        driver_condemn(driver, "no memory to take back its task");
        return;
    }
    call->cancelled_id = id;
    driver_call(driver, call);
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool
call_client_is_gone(const struct call *call)
{
    return call->request != NULL && call->request->client->output_state == OUTPUT_GONE;
}

/* The job does not run, and the reply is an Error. */
static void
job_call_refuse(struct driver *driver, struct call *call, enum outcome outcome)
{
    job_refuse(call->job);
    driver_call_end(driver, call, outcome);
}

void
driver_job_not_begun(struct driver *driver, struct call *call, enum outcome why)
{
    struct job *job = call->job;
    bool gone = call_client_is_gone(call);

    job_return(job);
    if (job->cancelled || job_is_halted(job)) {
        driver_call_leave(driver, call);
        job_end_unbegun(job);
    } else if (phase_stopping() || gone) {
        driver_call_leave(driver, call);
        job_unrun(job, gone ? REASON_CLIENT_GONE : REASON_STOPPING, 0);
    } else if (job->named_pid == 0) {
        driver_call_leave(driver, call);
        call_await_first(call);
    } else if (why == OUTCOME_DIED) {
        driver_call_leave(driver, call);
        job_unrun(job, REASON_DIED, call->status);
    } else {
        job_call_refuse(driver, call, OUTCOME_TIMEOUT);
    }
}

/* Whether a driver may say that it read the call too late. A driver that says so too early could be
 * given the same job for ever. */
static bool
call_has_expired(const struct call *call)
{
    return clock_ns() >= call->deadline.at_ns;
}

/* The driver did not take the task or job of the call. */
static void
call_refused(struct driver *driver, struct call *call)
{
    bool late = call->refusal == PROTO_REFUSED_LATE;

    if (call->job == NULL)
        driver_call_end(driver, call, late ? OUTCOME_TIMEOUT : OUTCOME_STATE);
    else if (late || call->job->named_pid == 0 || call_client_is_gone(call))
        driver_job_not_begun(driver, call, OUTCOME_TIMEOUT);
    else
        job_call_refuse(driver, call, OUTCOME_STATE);
}

/* The call has its answer. That ends the call, unless it must wait for the end of a job. */
static void
call_answered(struct driver *driver, struct call *call, const struct proto_state *state)
{
    const struct question *question = call->question;

    call->refusal = (enum proto_refusal)state->refusal;
    call->remaining_ms = state->remaining_ms;
    if (call->refusal != PROTO_OK) {
        call_refused(driver, call);
        return;
    }
    if (question->taken != NULL)
        question->taken(driver, call);
    if (call->job != NULL && call->job->cancelled)
        driver_revoke(driver, call->id);
    if (question->goes_on && driver->work == PROTO_ON_JOB && call->request != NULL)
        driver_call_goes_on(driver, call);
    else
        driver_call_end(driver, call, OUTCOME_STATE);
}

/* Notes what the driver is busy with, as it said in the answer to that call; call is NULL if it has
 * timed out. Returns false if that is impossible: only its RESULT ends a job, and only a TASK or
 * RUN that it takes makes it busy. */
static bool
driver_state_taken(struct driver *driver, const struct call *call, uint32_t id,
                   const struct proto_state *state)
{
    enum proto_work work = state->work;
    bool ok = state->refusal == PROTO_OK;

    if (driver->work == PROTO_ON_JOB)
        return work == PROTO_ON_JOB && !(ok && call != NULL && call->question->is_job);
    if (work != PROTO_FREE && driver->work == PROTO_FREE) {
        bool can_begin = call == NULL || (call->question->makes_busy &&
                                          call->question->is_job == (work == PROTO_ON_JOB));
        if (!ok || !can_begin)
            return false;
        if (work == PROTO_ON_JOB)
            driver->job_id = id;
    } else if (work == PROTO_ON_JOB) {
        return false;
    }
    if (driver->work != work) {
        driver->work = work;
        driver_changed(driver);
    }
    return true;
}

/* Returns the call with that number, or NULL if it has timed out. It is the first one in flight. */
static struct call *
driver_call_in_flight(const struct driver *driver, uint32_t id)
{
    if (list_empty(&driver->in_flight))
        return NULL;
    struct call *call = container_of(driver->in_flight.next, struct call, of_driver);
    return call->id == id ? call : NULL;
}

/* Takes an answer, which must be the one to the next question in order. */
static void
driver_answered(struct driver *driver, const struct proto_frame *frame)
{
    if (driver->answered_id == driver->sent_id ||
        frame->header.id != id_after(driver->answered_id)) {
        driver_condemn_malformed(driver, "an answer to no request, id", frame->header.id);
        return;
    }
    driver->answered_id = frame->header.id;
    struct call *call = driver_call_in_flight(driver, frame->header.id);
    if (!driver_state_taken(driver, call, frame->header.id, &frame->state)) {
        driver_condemn_malformed(driver, "an impossible state, of request", frame->header.id);
        return;
    }
    if (call == NULL)
        return; /* the answer is late: its call has timed out */
    bool early = frame->state.refusal == PROTO_REFUSED_LATE && !call_has_expired(call);
    if (early || !call->question->fits(driver, &frame->state)) {
        driver_condemn_malformed(driver, "an answer that does not fit request", call->id);
        return;
    }
    call_answered(driver, call, &frame->state);
}

/* ---- frames without a request ---------------------------------------------------------------- */

static void
driver_said_hello(struct driver *driver, const struct proto_frame *frame)
{
    if (driver->said_hello) {
        driver_condemn_malformed(driver, "a second HELLO, for pid", frame->hello.pid);
        return;
    }
    if (frame->hello.pid != (uint32_t)driver->pid) {
        driver_condemn_malformed(driver, "a HELLO of pid", frame->hello.pid);
        return;
    }
    if (!driver_greet(driver))
        return;
    stats.created++;
    if (options.verbose)
        log_line("driver %d started", driver->pid);
    struct call *birth = driver->birth;
    if (birth == NULL)
        return;
    driver->birth = NULL;
    birth->request->starting--;
    call_end(birth, OUTCOME_STATE);
}

static void
driver_task_ended(struct driver *driver, const struct proto_frame *frame)
{
    bool done = frame->end.outcome == PROTO_DONE;

    if (driver->work != PROTO_ON_TASK) {
        driver_condemn_malformed(driver, "the end of no task, outcome", frame->end.outcome);
        return;
    }
    driver->work = PROTO_FREE;
    driver_task_over(driver);
    driver_changed(driver);
    stats.tasks_done += done;
    /* Counts a task that the stop has ended. If cancel_task has ended it, its answer is still
     * due. */
    stats.tasks_cancelled_at_stop +=
        !done && phase_stopping() && driver->answered_id == driver->sent_id;
    if (options.verbose)
        log_line("driver %d task %s", driver->pid, done ? "done" : "cancelled");
}

/* The driver has started the process of its job. */
static void
driver_job_begun(struct driver *driver, const struct proto_frame *frame)
{
    /* If the driver was killed, we have found the pid ourselves. */
    bool known = driver->job_pid != 0 && !driver->killed;

    if (driver->work != PROTO_ON_JOB || driver->job_id != frame->header.id || known) {
        driver_condemn_malformed(driver, "the beginning of no job, id", frame->header.id);
        return;
    }
    if (driver->job_pid != (pid_t)frame->begun.pid)
        job_begun(driver, (pid_t)frame->begun.pid);
}

/* Ends the calls that cancelled the job. */
static void
driver_cancels_end(struct driver *driver)
{
    struct list *next;

    for (struct list *link = driver->ongoing.next; link != &driver->ongoing; link = next) {
        struct call *call = container_of(link, struct call, of_driver);
        next = link->next;
        if (call->job != NULL)
            continue;
        call->remaining_ms = 0;
        call_end(call, OUTCOME_STATE);
    }
}

/* A submitted job, whose call ended when a driver took it, has not begun after all. */
static void
job_wait_again(struct job *job)
{
    struct call *call = call_new(NULL, &question_job);

    job_return(job);
    if (job->cancelled || job_is_halted(job) || phase_stopping() || call == NULL) {
        if (call != NULL)
            call_free(call);
        if (job->cancelled || job_is_halted(job))
            job_end_unbegun(job);
        else if (phase_stopping())
            job_unrun(job, REASON_STOPPING, 0);
        else
            job_unrun(job, REASON_START, ENOMEM);
        return;
    }
    call->job = job;
    job->call = call;
    call_await_first(call);
}

/* The driver had taken the job, but too late to begin it: by then we could take the driver for one
 * that does not answer, and give the job to another. */
static void
driver_job_late(struct driver *driver)
{
    struct job *job = driver->job;

    driver->job = NULL;
    deadline_stop(&driver->job_deadline);
    if (job == NULL)
        return; /* its call had timed out */
    if (job->call != NULL)
        driver_job_not_begun(driver, job->call, OUTCOME_TIMEOUT);
    else if (job->giver != NULL)
        job_wait_again(job);
    else
        job_unrun(job, REASON_CLIENT_GONE, 0);
}

static void
driver_job_ended(struct driver *driver, uint32_t id, struct proto_result said)
{
    if (driver->work != PROTO_ON_JOB || driver->job_id != id) {
        driver_condemn_malformed(driver, "the result of no job, id", id);
        return;
    }
    driver->work = PROTO_FREE;
    driver->job_pid = 0; /* the job has no processes any more */
    driver_changed(driver);
    driver_cancels_end(driver);
    if (said.cause == PROTO_CAUSE_LATE) {
        if (driver->job != NULL && driver->job->call != NULL &&
            !call_has_expired(driver->job->call))
            driver_condemn_malformed(driver, "a job that it calls late too early, id", id);
        else
            driver_job_late(driver);
        return;
    }
    if (driver->job == NULL && said.outcome != PROTO_CANCELLED) {
        driver_condemn_malformed(driver, "a job that it must not begin any more, id", id);
        return;
    }
    struct job_result result = job_result_of(&said);
    job_of_driver_end(driver, &result);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void
driver_responds(struct driver *driver)
{
    driver->unresponsive = false;
    driver_changed(driver);
    if (driver->state == DRIVER_READY)
        log_line("driver %d responds again", driver->pid);
}

void
driver_said(struct driver *driver, const struct proto_frame *frame, const unsigned char *data)
{
    enum proto_type type = (enum proto_type)frame->header.type;

    if (driver->unresponsive)
        driver_responds(driver);
    if (!driver->said_hello && type != PROTO_HELLO) {
        driver_condemn_malformed(driver, "no HELLO but a frame of type", type);
        return;
    }
    switch (type) {
    case PROTO_HELLO:
        driver_said_hello(driver, frame);
        break;
    case PROTO_STATE:
        driver_answered(driver, frame);
        break;
    case PROTO_END:
        driver_task_ended(driver, frame);
        break;
    case PROTO_BEGUN:
        driver_job_begun(driver, frame);
        break;
    case PROTO_RESULT:
        driver_job_ended(driver, frame->header.id, proto_result(data));
        break;
    case PROTO_TASK:
    case PROTO_STATUS:
    case PROTO_CANCEL:
    case PROTO_EXIT:
    case PROTO_RUN:
        assert(false && "proto_decode() lets no driver say what only the server says");
    }
}

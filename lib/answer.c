#include "answer.h"

#include "clock.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "stats.h"

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
        .limit_ms = call->duration_ms,
        .grace_ms = (uint64_t)(options.grace_ns / NS_PER_MS),
        .expires_ns = call_expires_ns(),
        .output = call->job->output,
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
           (state->refusal == PROTO_REFUSED_BUSY && state->busy);
}

static bool
task_fits(const struct driver *driver, const struct proto_state *state)
{
    (void)driver;
    return not_taken_fits(state) ||
           (state->refusal == PROTO_OK && state->busy && state->value == 0);
}

static bool
job_fits(const struct driver *driver, const struct proto_state *state)
{
    (void)driver;
    if (state->refusal == PROTO_REFUSED_EXEC)
        return !state->busy && state->value > 0 && state->value < INT_MAX;
    return not_taken_fits(state) ||
           (state->refusal == PROTO_OK && state->busy && state->value != 0);
}

static bool
status_fits(const struct driver *driver, const struct proto_state *state)
{
    (void)driver;
    return state->refusal == PROTO_OK && state->value == 0;
}

static bool
cancel_fits(const struct driver *driver, const struct proto_state *state)
{
    if (state->refusal == PROTO_OK)
        return state->value == 0 && (!state->busy || driver->work == WORK_JOB);
    return state->refusal == PROTO_REFUSED_FREE;
}

static void
task_taken(const struct driver *driver, const struct call *call)
{
    stats.tasks++;
    if (options.verbose)
        log_line("driver %d task of %" PRIu64 ".%03u s started", driver->pid,
                 call->duration_ms / 1000, (unsigned)(call->duration_ms % 1000));
}

static void
job_taken(const struct driver *driver, const struct call *call)
{
    (void)call;
    stats.jobs++;
    if (options.verbose)
        log_line("driver %d runs a command as process %d", driver->pid, driver->job_pid);
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
    .taken = job_taken,
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
};

/* ---- answers --------------------------------------------------------------------------------- */

/* The call has its answer. That ends the call, unless it must wait for the end of a job. */
static void
call_answered(struct driver *driver, struct call *call, const struct proto_state *state)
{
    const struct question *question = call->question;

    call->refusal = (enum proto_refusal)state->refusal;
    call->remaining_ms = state->remaining_ms;
    if (call->refusal == PROTO_REFUSED_EXEC)
        call->error = (int)state->value;
    if (call->refusal == PROTO_OK && question->taken != NULL)
        question->taken(driver, call);
    if (call->refusal == PROTO_REFUSED_LATE)
        driver_call_end(driver, call, OUTCOME_TIMEOUT);
    else if (call->refusal == PROTO_OK && question->goes_on && driver->work == WORK_JOB &&
             call->request != NULL)
        driver_call_goes_on(driver, call);
    else
        driver_call_end(driver, call, OUTCOME_STATE);
}

/* Notes what the driver is busy with. Returns false if that is impossible: only its RESULT ends a
 * job, and a job cannot begin while another one runs. */
static bool
driver_state_taken(struct driver *driver, uint32_t id, const struct proto_state *state)
{
    bool job_began = state->busy && state->refusal == PROTO_OK && state->value != 0;
    enum driver_work work = state->busy ? WORK_TASK : WORK_NONE;

    if (driver->work == WORK_JOB)
        return state->busy && !job_began;
    if (job_began) {
        if (state->value > INT_MAX)
            return false;
        driver->job_pid = (pid_t)state->value;
        driver->job_id = id;
        work = WORK_JOB;
    }
    if (driver->work != work) {
        driver->work = work;
        driver_changed(driver);
    }
    return true;
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
    if (!driver_state_taken(driver, frame->header.id, &frame->state)) {
        driver_condemn_malformed(driver, "a state that cannot be, of request", frame->header.id);
        return;
    }
    if (list_empty(&driver->in_flight))
        return; /* the answer is late: the call has timed out */
    struct call *call = container_of(driver->in_flight.next, struct call, of_driver);
    if (call->id != frame->header.id)
        return; /* it is late, and the first call in flight is a later one */
    if (!call->question->fits(driver, &frame->state)) {
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

    if (driver->work != WORK_TASK) {
        driver_condemn_malformed(driver, "the end of no task, outcome", frame->end.outcome);
        return;
    }
    driver->work = WORK_NONE;
    driver_changed(driver);
    stats.tasks_done += done;
    /* Counts a task that the stop has ended. If cancel_task ended it, an answer is still to
     * come. */
    stats.cancelled_at_stop += !done && phase_stopping() && driver->answered_id == driver->sent_id;
    if (options.verbose)
        log_line("driver %d task %s", driver->pid, done ? "done" : "cancelled");
}

/* Ends the calls that waited for the end of the job. Returns whether one of them was its
 * cancellation. */
static bool
driver_ongoing_end(struct driver *driver, const struct proto_result *result)
{
    bool cancelled = false;

    while (!list_empty(&driver->ongoing)) {
        struct call *call = container_of(driver->ongoing.next, struct call, of_driver);
        if (call->job != NULL) {
            call->job->result = *result;
            call_end(call, OUTCOME_DONE);
        } else {
            cancelled = true;
            call->remaining_ms = 0;
            call_end(call, OUTCOME_STATE);
        }
    }
    return cancelled;
}

static void
driver_job_ended(struct driver *driver, uint32_t id, struct proto_result result)
{
    if (driver->work != WORK_JOB || driver->job_id != id) {
        driver_condemn_malformed(driver, "the result of no command, id", id);
        return;
    }
    driver->work = WORK_NONE;
    driver->job_pid = 0; /* the job has no processes any more */
    driver_changed(driver);
    bool cancelled = driver_ongoing_end(driver, &result);
    stats.jobs_failed +=
        result.outcome == PROTO_SIGNALLED || (result.outcome == PROTO_EXITED && result.status != 0);
    stats.jobs_timed_out += result.outcome == PROTO_TIMED_OUT;
    stats.cancelled_at_stop += result.outcome == PROTO_CANCELLED && phase_stopping() && !cancelled;
    if (options.verbose)
        log_line("driver %d command ended", driver->pid);
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

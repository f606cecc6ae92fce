#include "job_commands.h"

#include "answer.h"
#include "awaiting.h"
#include "barrier.h"
#include "clients.h"
#include "dispatch.h"
#include "format.h"
#include "job_life.h"
#include "joblog.h"
#include "keeper.h"
#include "phase.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

enum {
    SUBMITTED_MAX = 100000, /* jobs that may wait after submit, see also JOBS_MAX in turn.c */
    SUBMITTED_BYTES_MAX = 32 * 1024 * 1024, /* command lines, of all jobs together */
};

/* Parses the time of a task or the limit of a job. If it is bad, answers with an Error, sets
 * *handling, and returns false. */
static bool
command_seconds(struct client *client, const struct span *word, uint64_t *ms,
                enum handling *handling)
{
    if (seconds_parse(word->at, word->size, PROTO_TASK_MAX_MS, ms))
        return true;
    *handling = client_error(client, "bad_seconds",
                             "bad seconds '%s' (above 0, at most %" PRIu64
                             ", three digits behind the point)",
                             echo_word(word).text, PROTO_TASK_MAX_MS / 1000);
    return false;
}

/* Gives a task or, unless it is NULL, the job to the driver that a word names, or to any idle
 * driver. Sets *handling. Returns the call, or NULL if there is none; the caller then still owns
 * the job. */
static struct call *
command_give(struct client *client, const struct span *word, struct job *job,
             enum handling *handling)
{
    const struct question *question = job != NULL ? &question_job : &question_task;
    bool any = span_is(word, "any");
    struct driver *driver = any ? NULL : command_driver_to_ask(client, word, handling);

    if (!any && driver == NULL)
        return NULL;
    struct call *call = command_call(client, question);
    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL)
        return NULL;
    if (job != NULL)
        job_take(call, job);
    if (any) {
        client->barrier = call->request;
        call_await_any(call);
    } else {
        call_assign(call, driver);
    }
    return call;
}

enum handling
do_send_task(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    uint64_t duration_ms;

    (void)count;
    if (!command_seconds(client, &args[1], &duration_ms, &handling))
        return handling;
    struct call *call = command_give(client, &args[0], NULL, &handling);
    if (call == NULL)
        return handling;
    call->duration_ms = duration_ms;
    calls_assign();
    return handling;
}

/* The server is stopping, or the batch has ended: answers a job that was read, but will not run.
 * Returns the call, as command_give() does. */
static struct call *
command_unrun(struct client *client, struct job *job, enum handling *handling)
{
    struct call *call = command_call(client, &question_job);

    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL)
        return NULL;
    job_take(call, job);
    if (client_halted(client) != NULL)
        job_unrun_halted(job);
    else
        job_unrun(job, REASON_STOPPING, 0);
    return call;
}

/* The job is Done already, as the log says. Returns the call, as command_give() does. */
static struct call *
command_recall(struct client *client, struct job *job, struct past *past, enum handling *handling)
{
    struct call *call = command_call(client, &question_job);

    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL)
        return NULL;
    resume_take(past);
    job_recall(call, job, past);
    return call;
}

enum handling
command_lacks_memory(struct client *client)
{
    return client_error(client, "cannot_run", "cannot run: %s", strerror(ENOMEM));
}

/* Makes a job of its limit and its command line. If that is not possible, answers with an Error,
 * sets *handling, and returns NULL. */
static struct job *
command_job(struct client *client, const struct span *seconds, const struct span *command,
            enum handling *handling)
{
    uint64_t limit_ms;

    if (!command_seconds(client, seconds, &limit_ms, handling))
        return NULL;
    if (memchr(command->at, '\0', command->size) != NULL) {
        *handling = client_error(client, "bad_command", "bad command '%s' (it has a zero byte)",
                                 echo_word(command).text);
        return NULL;
    }
    struct job *job = job_new(command, limit_ms);
    if (job == NULL)
        *handling = command_lacks_memory(client);
    return job;
}

/* Returns what the log has of a job with that command, if it need not run again. If it failed and
 * must run again, notes that in the job, and sets *failed, which must be taken if the job is. */
static struct past *
job_find_past(const struct client *client, struct job *job, struct past **failed)
{
    *failed = NULL;
    if (client != &console)
        return NULL;
    struct span command = job_text_shown(job->text);
    struct past *past = resume_find(&command);
    if (past == NULL)
        *failed = resume_find_failed(&command);
    if (*failed != NULL)
        job->before = &(*failed)->result;
    return past;
}

enum handling
command_give_job(struct client *client, const struct span *word, struct job *job)
{
    enum handling handling;
    struct call *call = NULL;
    uint64_t pid = 0;

    digits_parse(word->at, word->size, INT_MAX - 1, &pid);
    job->named_pid = (pid_t)pid;
    struct past *failed, *past = job_find_past(client, job, &failed);
    if (past != NULL)
        call = command_recall(client, job, past, &handling);
    else if (phase_stopping() || client_halted(client) != NULL)
        call = command_unrun(client, job, &handling);
    else if (span_is(word, "any") && fleet_next(NULL) == NULL && !keeper_is_trying() &&
             !keeper_gave_up())
        handling = client_error(client, "no_driver", "no driver");
    else
        call = command_give(client, word, job, &handling);
    if (call == NULL)
        job_free(job);
    else if (failed != NULL)
        resume_take(failed);
    calls_assign();
    return handling;
}

enum handling
do_run(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct job *job = command_job(client, &args[1], &args[2], &handling);

    (void)count;
    return job != NULL ? command_give_job(client, &args[0], job) : handling;
}

/* A job may take long to end. The client's later commands wait for that, because they must find the
 * driver free. */
enum handling
do_cancel_task(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct call *call = command_ask(client, &args[0], &question_cancel, &handling);

    (void)count;
    if (call != NULL && (call->driver->work == PROTO_ON_JOB || call->driver->jobs_due > 0))
        client->barrier = call->request;
    return handling;
}

enum handling
do_wait(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling = COMMAND_HELD;
    struct driver *driver = NULL;
    bool own = count > 0 && span_is(&args[0], "own");

    if (count > 0 && !own) {
        driver = command_driver(client, &args[0], &handling);
        if (driver == NULL)
            return handling;
    }
    struct call *call = command_call(client, NULL);
    if (call == NULL)
        return COMMAND_HELD;
    if (driver == NULL) {
        request_wait(call->request, own ? dispatch_own() : dispatch_all());
        waits_end();
    } else {
        call_set_driver(call, driver);
        request_wait(call->request, &driver->awaited);
        driver_changed(driver);
    }
    return COMMAND_TAKEN;
}

/* ---- submitted jobs -------------------------------------------------------------------------- */

/* The call tells of the job: that it waits, or that it is Done. */
static void
call_tell_job(struct call *call, struct job *job, enum outcome outcome)
{
    call->job = job;
    job->users++;
    job->shown |= call->request->format->shows_command;
    call_end(call, outcome);
}

/* Makes the job wait for any driver. Returns the call that tells the client so, or NULL if there is
 * no memory; the caller then still owns the job. */
static struct call *
command_submit(struct client *client, struct job *job, enum handling *handling)
{
    struct call *told = command_call(client, NULL);
    struct call *call = told != NULL ? call_new(NULL, &question_job) : NULL;

    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL) {
        if (told != NULL) {
            struct request *request = told->request;
            call_free(told);
            request_abandon(request);
        }
        return NULL;
    }
    job_adopt(job, client);
    job_submit(call, job, client->giver);
    if (!joblog_has_failed()) {
        call_await_any(call);
        call_tell_job(told, job, OUTCOME_WAITING);
    } else { /* the next server would not find the job */
        call_tell_job(told, job, OUTCOME_DONE);
        job_unrun(job, REASON_LOG, 0);
    }
    return told;
}

/* Whether no more jobs may be submitted. If so, answers with an Error, and sets *handling. */
static bool
queue_is_full(struct client *client, enum handling *handling)
{
    if (jobs_submitted_waiting() >= SUBMITTED_MAX)
        *handling = client_error(client, "full", "queue is full (limit %d)", SUBMITTED_MAX);
    else if (job_texts_bytes() >= SUBMITTED_BYTES_MAX)
        *handling =
            client_error(client, "full", "queue is full (limit %d bytes)", SUBMITTED_BYTES_MAX);
    else
        return false;
    return true;
}

/* The job was submitted to an earlier server, and waits again or has begun. The client takes it
 * over. */
static enum handling
client_submitted_before(struct client *client, struct past *past, struct job *job)
{
    struct call *call = command_call(client, NULL);

    if (call == NULL)
        return COMMAND_HELD;
    resume_take(past);
    job_adopt(job, client);
    call_tell_job(call, job, OUTCOME_WAITING);
    return COMMAND_TAKEN;
}

enum handling
do_submit(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct past *past = client == &console ? resume_find_waiting(&args[1]) : NULL;

    (void)count;
    if (past != NULL && past->step != STEP_DONE)
        return client_submitted_before(client, past, job_find(past->number));
    struct job *job = command_job(client, &args[0], &args[1], &handling);
    if (job == NULL)
        return handling;
    struct call *call = NULL;
    struct past *failed = NULL;
    if (past == NULL)
        past = job_find_past(client, job, &failed);
    if (past != NULL)
        call = command_recall(client, job, past, &handling);
    else if (client_halted(client) != NULL)
        call = command_unrun(client, job, &handling);
    else if (!queue_is_full(client, &handling))
        call = command_submit(client, job, &handling);
    if (call == NULL)
        job_free(job);
    else if (failed != NULL)
        resume_take(failed);
    calls_assign();
    return handling;
}

void
jobs_resume(void)
{
    struct past *past = NULL;

    joblog_start();
    resume_start();
    while ((past = resume_waiting_after(past)) != NULL) {
        struct span command = {past->command->bytes, past->command->size};
        struct job *job = job_new(&command, past->limit_ms);
        struct call *call = job != NULL ? call_new(NULL, &question_job) : NULL;
        if (call == NULL)
            err(EXIT_FAILURE, "cannot resume");
        resume_renew(past);
        if (!past->anew)
            job->number = past->number;
        job->again = past;
        job->before = past->again ? &past->result : NULL;
        job_submit(call, job, console.giver);
        past->number = job->number;
        call_await_any(call);
    }
}

/* ---- jobs by their numbers ------------------------------------------------------------------- */

/* Returns the job that a word names. If there is none, answers with an Error, sets *handling, and
 * returns NULL. */
static struct job *
command_find_job(struct client *client, const struct span *word, enum handling *handling)
{
    uint64_t number = 0;
    bool is_number = digits_parse(word->at, word->size, INT64_MAX, &number) && number > 0;
    struct job *job = is_number ? job_find(number) : NULL;

    if (job != NULL)
        return job;
    if (is_number)
        *handling = client_error(client, "no_job", "no job %s", echo_word(word).text);
    else
        *handling = client_error(client, "bad_job", "bad job '%s'", echo_word(word).text);
    return NULL;
}

enum handling
do_get_jobs(struct client *client, const struct span *args, unsigned count)
{
    if (count > 0 && !span_is(&args[0], "all"))
        return client_error(client, "usage", "usage: get_jobs [all]");
    struct request *request = request_new(client);
    if (request == NULL)
        return COMMAND_HELD;
    request->noun = "job";
    request->lists_jobs = true;
    request->lists_ends = count > 0;
    request->last_job = 0;
    /* A command that changes a job must not run before the job's line is written. */
    client->barrier = request;
    client_wake(client);
    return COMMAND_TAKEN;
}

enum handling
do_wait_job(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct job *job = command_find_job(client, &args[0], &handling);

    (void)count;
    if (job == NULL)
        return handling;
    struct call *call = command_call(client, NULL);
    if (call == NULL)
        return COMMAND_HELD;
    if (job->state == JOB_DONE)
        call_tell_job(call, job, OUTCOME_DONE);
    else
        call_await_job(call, job);
    return COMMAND_TAKEN;
}

/* Cancels a job: ends it if it waits for any driver, or has its driver end it. If the job was sent
 * to a driver that has not answered yet, it ends, or does not begin, when the driver answers. */
static void
job_cancel(struct job *job)
{
    struct driver *driver = driver_find(job->driver_pid);

    job->cancelled = true;
    if (job->state == JOB_WAITING && call_awaits_any(job->call)) {
        call_leave_barrier(job->call);
        job_end_unbegun(job);
    } else if (driver != NULL && driver->job == job) {
        driver_revoke(driver, driver->job_id);
        job_end_soon(driver);
    }
}

enum handling
do_cancel_job(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct job *job = command_find_job(client, &args[0], &handling);

    (void)count;
    if (job == NULL)
        return handling;
    if (job->state == JOB_DONE)
        return client_error(client, "done", "job %" PRIu64 " is Done", job->number);
    struct call *call = command_call(client, NULL);
    if (call == NULL)
        return COMMAND_HELD;
    call->cancels = true;
    call_await_job(call, job);
    job_cancel(job);
    return COMMAND_TAKEN;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static enum handling
client_answer(struct client *client, const char *text)
{
    return request_answer(client, text, strlen(text)) ? COMMAND_TAKEN : COMMAND_HELD;
}

enum handling
do_pause(struct client *client, const struct span *args, unsigned count)
{
    (void)args;
    (void)count;
    calls_pause(true);
    waits_end();
    return client_answer(client, client->format->paused);
}

enum handling
do_resume(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling = client_answer(client, client->format->resumed);

    (void)args;
    (void)count;
    calls_pause(false);
    calls_assign();
    return handling;
}

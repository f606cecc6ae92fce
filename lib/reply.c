#include "reply.h"

#include "awaiting.h"
#include "clients.h"
#include "clock.h"
#include "fleet.h"
#include "json.h"
#include "log.h"
#include "options.h"
#include "stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

size_t
error_line(const struct format *as, char *line, const char *code, const char *format, va_list args)
{
    char message[TEXT_SIZE];

    vsnprintf(message, sizeof(message), format, args);
    size_t size = as->error(line, code, message);
    assert(size > 0 && size < TEXT_SIZE);
    return size;
}

size_t
stats_line(const struct format *as, char *line)
{
    const struct counter counters[] = {
        {"uptime", (uint64_t)((clock_turn_ns - stats.started_ns) / NS_PER_S)},
        {"clients", clients_count() + (console.input_state == INPUT_OPEN)},
        {"drivers", fleet_count(DRIVER_READY)},
        {"starting", fleet_count(DRIVER_STARTING)},
        {"stopping", fleet_count(DRIVER_STOPPING)},
        {"created", stats.created},
        {"died", stats.died},
        {"replaced", stats.replaced},
        {"commands", stats.commands},
        {"errors", stats.errors},
        {"tasks", stats.tasks},
        {"tasks_done", stats.tasks_done},
        {"runs", stats.jobs},
        {"failures", stats.jobs_failed},
        {"timeouts", stats.jobs_timed_out},
        {"lost", stats.jobs_lost},
        {"dropped", stats.jobs_dropped},
        {"left", stats.left},
        {"unanswered", stats.unanswered},
        {"waiting", stats.jobs_live - stats.jobs_begun},
        {"running", stats.jobs_begun},
        {"paused", calls_paused()},
        {"log_dropped", log_dropped()},
    };
    size_t size = as->stats(line, counters, sizeof(counters) / sizeof(counters[0]));

    assert(size < TEXT_SIZE);
    return size;
}

/* Writes an Error, and counts it. Errors are rare, so printf is fast enough. */
__attribute__((format(printf, 3, 4))) static void
reply_error(struct request *request, const char *code, const char *format, ...)
{
    char line[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    size_t size = error_line(request->format, line, code, format, args);
    va_end(args);
    bool gone = request->client->output_state == OUTPUT_GONE;
    stats.errors += !gone;
    request->client->loss.errors += gone;
    buffer_append(&request->client->output, line, size);
}

/* Writes a line of get_drivers; a driver that has died since has none. Returns the number of
 * lines. */
static unsigned
reply_listed(struct request *request, const struct call *call)
{
    struct buffer *out = &request->client->output;

    if (call->outcome == OUTCOME_STATE)
        request->format->state(out, call);
    else if (call->outcome != OUTCOME_DIED)
        request->format->word(out, call->pid, WORD_UNRESPONSIVE);
    return call->outcome != OUTCOME_DIED;
}

static void
reply_refused(struct request *request, const struct call *call)
{
    switch (call->refusal) {
    case PROTO_REFUSED_BUSY:
        reply_error(request, "busy", "driver %d Busy %" PRIu64, call->pid,
                    (call->remaining_ms + 999) / 1000);
        break;
    case PROTO_REFUSED_FREE:
        reply_error(request, "no_task", "driver %d has no task", call->pid);
        break;
    case PROTO_OK:
    case PROTO_REFUSED_LATE:
        assert(false && "the one is no refusal, the other has OUTCOME_TIMEOUT");
    }
}

/* Writes the Error of a create_driver that has failed. */
static void
reply_not_created(struct request *request, const struct call *call)
{
    char why[64];

    if (call->outcome == OUTCOME_DEAD_BORN)
        snprintf(why, sizeof(why), "died (%s)", status_text(call->status));
    else if (call->outcome == OUTCOME_LATE_BORN)
        snprintf(why, sizeof(why), "did not come up in %s s", options.start_timeout);
    else
        snprintf(why, sizeof(why), "broke the protocol");
    reply_error(request, "cannot_create", "cannot create driver: %d %s", call->pid, why);
}

/* Writes the line for the call's outcome. Returns whether it is a Driver line. */
static bool
reply_line(struct request *request, const struct call *call)
{
    struct buffer *out = &request->client->output;

    switch (call->outcome) {
    case OUTCOME_STATE:
        if (call->refusal != PROTO_OK) {
            reply_refused(request, call);
            return false;
        }
        request->format->state(out, call);
        return true;
    case OUTCOME_DONE:
        /* The job may have ended by itself before it was cancelled. */
        if (call->cancels && call->job->result.ending != JOB_CANCELLED)
            reply_error(request, "done", "job %" PRIu64 " is Done", call->job->number);
        else
            request->format->done(out, call->job);
        return true;
    case OUTCOME_WAITING:
        request->format->waiting(out, call->job);
        return true;
    case OUTCOME_DELETED:
        request->format->word(out, call->pid, WORD_DELETED);
        return true;
    case OUTCOME_TIMEOUT:
        reply_error(request, "not_responding", "driver %d is not responding", call->pid);
        break;
    case OUTCOME_DIED:
        reply_error(request, "died", "driver %d died (%s)", call->pid, status_text(call->status));
        break;
    case OUTCOME_NOT_BORN:
        reply_error(request, "cannot_create", "cannot create driver: %s", strerror(call->error));
        break;
    case OUTCOME_DEAD_BORN:
    case OUTCOME_LATE_BORN:
    case OUTCOME_MALFORMED:
        reply_not_created(request, call);
        break;
    case OUTCOME_NO_DRIVER:
        reply_error(request, "no_driver", "no driver");
        break;
    case OUTCOME_PENDING:
    case OUTCOME_STOPPING:
        assert(call->outcome != OUTCOME_PENDING);
        if (request->client->output_state != OUTPUT_GONE)
            reply_error(request, "stopping", "server is stopping");
        break;
    }
    return false;
}

/* Returns the room that a line may need, in bytes: a Done line contains the command. */
static size_t
line_room(const struct call *call)
{
    const struct job *job = call->job;
    bool shown = job != NULL && job->text != NULL;

    return REPLY_SIZE + (shown ? JSON_BYTE_MAX * (size_t)job->text->size : 0);
}

/* Writes a line of get_jobs. */
static void
reply_job(struct request *request, const struct job *job)
{
    const struct driver *driver = job->state == JOB_RUNNING ? driver_find(job->driver_pid) : NULL;
    struct job_shown shown = {.job = job, .left_ms = 1};

    if (driver != NULL && driver->job == job) {
        int64_t elapsed_ns = clock_turn_ns - driver->job_taken_ns;
        uint64_t elapsed_ms = (uint64_t)(elapsed_ns / NS_PER_MS);
        shown.pid = driver->job_pid;
        shown.elapsed_us = (uint64_t)(elapsed_ns / NS_PER_US);
        if (elapsed_ms < job->limit_ms)
            shown.left_ms = job->limit_ms - elapsed_ms;
    }
    request->format->job(&request->client->output, &shown);
}

/* Writes lines of get_jobs as far as there is room. Returns true if all are written. A job that
 * begins or ends in between is shown as it is when its line is written. */
static bool
reply_jobs(struct request *request)
{
    const struct buffer *out = &request->client->output;
    const struct job *job;

    while ((job = job_after(request->last_job, request->lists_ends)) != NULL) {
        if (buffer_room(out) < REPLY_SIZE + JSON_BYTE_MAX * (size_t)job->text->size)
            return false;
        reply_job(request, job);
        request->last_job = job->number;
        request->lines++;
    }
    return true;
}

/* Writes what can be written of a request: its text, or the lines that are next in order and have
 * an outcome. Returns true if nothing is left. Sets client.output_full if there was too little
 * room. */
static bool
request_write(struct request *request)
{
    struct client *client = request->client;
    struct buffer *out = &client->output;

    if (request->text != NULL) {
        client->output_full = buffer_room(out) < request->text_size;
        if (!client->output_full)
            buffer_append(out, request->text, request->text_size);
        return !client->output_full;
    }
    while (!list_empty(&request->calls)) {
        struct call *call = container_of(request->calls.next, struct call, of_request);
        if (call->outcome == OUTCOME_PENDING)
            return false;
        client->output_full = buffer_room(out) < line_room(call);
        if (client->output_full)
            return false;
        request->lines +=
            request->listing ? reply_listed(request, call) : reply_line(request, call);
        call_free(call);
    }
    if (request->lists_jobs && !reply_jobs(request)) {
        client->output_full = true;
        return false;
    }
    client->output_full = buffer_room(out) < REPLY_SIZE;
    if (client->output_full || request->to_start > 0)
        return false;
    if (request->noun != NULL)
        request->format->count(out, request->lines, request->noun);
    return true;
}

bool
client_reply(struct client *client)
{
    bool progress = false;

    client->output_full = false;
    while (!list_empty(&client->requests)) {
        struct request *request = container_of(client->requests.next, struct request, link);
        if (client->output.data == NULL && !buffer_prepare(&client->output)) {
            client_lacks_memory(client);
            return progress;
        }
        size_t before = client->output.end;
        bool finished = request_write(request);
        progress |= finished || client->output.end != before;
        if (!finished)
            break;
        if (client->barrier == request)
            client->barrier = NULL;
        request_free(request);
    }
    buffer_consume(&client->output, 0); /* gives back the block if it is empty */
    return progress;
}

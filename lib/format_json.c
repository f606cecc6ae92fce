#include "format.h"

#include "json.h"
#include "options.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>

/* {"driver":4711,"state":"busy","left_ms":2750} */
static void
json_driver(struct buffer *out, pid_t pid, const char *state, uint64_t left_ms)
{
    buffer_append_string(out, "{\"driver\":");
    buffer_append_number(out, (uint64_t)pid);
    buffer_append_string(out, ",\"state\":\"");
    buffer_append_string(out, state);
    buffer_append_string(out, "\"");
    if (left_ms > 0) {
        buffer_append_string(out, ",\"left_ms\":");
        buffer_append_number(out, left_ms);
    }
    buffer_append_string(out, "}\n");
}

static void
json_state(struct buffer *out, const struct call *call)
{
    json_driver(out, call->pid, call->remaining_ms == 0 ? "available" : "busy", call->remaining_ms);
}

static void
json_word(struct buffer *out, pid_t pid, enum driver_word word)
{
    static const char *const words[] = {
        [WORD_DELETED] = "deleted",
        [WORD_UNRESPONSIVE] = "unresponsive",
    };

    json_driver(out, pid, words[word], 0);
}

/* ,"ms":12.3 */
static void
json_ms(struct buffer *out, const char *name, uint64_t us)
{
    buffer_append_string(out, ",\"");
    buffer_append_string(out, name);
    buffer_append_string(out, "\":");
    buffer_append_number(out, us / 1000);
    buffer_append_string(out, ".");
    buffer_append_number(out, us % 1000 / 100);
}

/* ,"out":"logs/1.out" */
static void
json_output(struct buffer *out, uint64_t number, const char *name)
{
    char path[2 * OUTPUT_PATH_MAX + 1];

    escape_json(path, sizeof(path), options.output_path);
    buffer_append_string(out, ",\"");
    buffer_append_string(out, name);
    buffer_append_string(out, "\":\"");
    buffer_append_string(out, path);
    buffer_append_string(out, "/");
    buffer_append_number(out, number);
    buffer_append_string(out, ".");
    buffer_append_string(out, name);
    buffer_append_string(out, "\"");
}

/* A job of the log may have run without --output, or into another directory. */
static bool
has_output(const struct job *job)
{
    return options.output_path != NULL && job->result.ending != JOB_UNRUN &&
           (!job->past || output_has(job->number));
}

/* What the job has used, and what it has left. */
static void
json_usage(struct buffer *out, const struct job *job)
{
    const struct job_result *result = &job->result;

    json_ms(out, "ms", result->elapsed_us);
    if (job->past)
        return; /* the log does not have the rest */
    json_ms(out, "user_ms", result->user_us);
    json_ms(out, "sys_ms", result->system_us);
    buffer_append_string(out, ",\"maxrss_kb\":");
    buffer_append_number(out, result->maxrss_kb);
    buffer_append_string(out, ",\"left\":");
    buffer_append_number(out, result->left);
}

/* {"job":17,"driver":4711,"exit":0,"ms":12.3,...,"command":"make"} */
static void
json_end(struct buffer *out, const struct job *job, const char *state)
{
    buffer_append_string(out, "{\"job\":");
    buffer_append_number(out, job->number);
    buffer_append_string(out, state);
    if (job->driver_pid != 0) {
        buffer_append_string(out, ",\"driver\":");
        buffer_append_number(out, (uint64_t)job->driver_pid);
    }
    buffer_append_string(out, ",");
    json_result(out, job);
    if (!result_has_reason(&job->result))
        json_usage(out, job);
    json_command(out, job->text);
    if (has_output(job)) {
        json_output(out, job->number, "out");
        json_output(out, job->number, "err");
    }
    buffer_append_string(out, "}\n");
}

static void
json_done(struct buffer *out, const struct job *job)
{
    json_end(out, job, "");
}

/* {"job":18,"state":"waiting","command":"make"} */
static void
json_waiting(struct buffer *out, const struct job *job)
{
    buffer_append_string(out, "{\"job\":");
    buffer_append_number(out, job->number);
    buffer_append_string(out, ",\"state\":\"waiting\"");
    json_command(out, job->text);
    buffer_append_string(out, "}\n");
}

/* {"job":17,"state":"running","driver":4711,"pid":4712,"ms":12.3,"left_ms":9987,"command":"make"} */
static void
json_job(struct buffer *out, const struct job_shown *shown)
{
    const struct job *job = shown->job;

    if (job->state == JOB_DONE) {
        json_end(out, job, ",\"state\":\"done\"");
        return;
    }
    if (job->state == JOB_WAITING) {
        json_waiting(out, job);
        return;
    }
    buffer_append_string(out, "{\"job\":");
    buffer_append_number(out, job->number);
    buffer_append_string(out, ",\"state\":\"running\",\"driver\":");
    buffer_append_number(out, (uint64_t)job->driver_pid);
    if (shown->pid != 0) {
        buffer_append_string(out, ",\"pid\":");
        buffer_append_number(out, (uint64_t)shown->pid);
    }
    json_ms(out, "ms", shown->elapsed_us);
    buffer_append_string(out, ",\"left_ms\":");
    buffer_append_number(out, shown->left_ms);
    json_command(out, job->text);
    buffer_append_string(out, "}\n");
}

static void
json_count(struct buffer *out, unsigned count, const char *noun)
{
    (void)noun;
    buffer_append_string(out, "{\"count\":");
    buffer_append_number(out, count);
    buffer_append_string(out, "}\n");
}

static size_t
json_error(char *line, const char *code, const char *message)
{
    char quoted[TEXT_SIZE];

    escape_json(quoted, sizeof(quoted), message);
    return (size_t)snprintf(line, TEXT_SIZE, "{\"error\":\"%s\",\"code\":\"%s\"}\n", quoted, code);
}

static size_t
json_stats(char *line, const struct counter *counters, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(line + size, TEXT_SIZE - size, "%c\"%s\":%" PRIu64,
                                 i == 0 ? '{' : ',', counters[i].name, counters[i].value);
    return size + (size_t)snprintf(line + size, TEXT_SIZE - size, "}\n");
}

static size_t
json_help(char *out, size_t room, const char *usage, const char *help)
{
    return (size_t)snprintf(out, room, "{\"command\":\"%s\",\"help\":\"%s\"}\n", usage, help);
}

static size_t
json_help_count(char *out, size_t room, unsigned count)
{
    return (size_t)snprintf(out, room, "{\"count\":%u}\n", count);
}

const struct format format_json = {
    .name = "json",
    .shows_command = true,
    .state = json_state,
    .word = json_word,
    .done = json_done,
    .job = json_job,
    .waiting = json_waiting,
    .paused = "{\"paused\":true}\n",
    .resumed = "{\"paused\":false}\n",
    .count = json_count,
    .error = json_error,
    .stats = json_stats,
    .help = json_help,
    .help_count = json_help_count,
};

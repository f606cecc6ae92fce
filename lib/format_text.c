#include "format.h"

#include "job_result.h"

#include <inttypes.h>
#include <stdio.h>

/* "Driver 4711 Available", "Driver 4711 Busy 3" */
static void
text_state(struct buffer *out, const struct call *call)
{
    buffer_append_string(out, "Driver ");
    buffer_append(out, call->pid_text.digits, call->pid_text.size);
    if (call->remaining_ms == 0) {
        buffer_append_string(out, " Available\n");
        return;
    }
    buffer_append_string(out, " Busy ");
    buffer_append_number(out, (call->remaining_ms + 999) / 1000);
    buffer_append_string(out, "\n");
}

/* "Driver 4711 Deleted" */
static void
text_word(struct buffer *out, pid_t pid, enum driver_word word)
{
    static const char *const words[] = {
        [WORD_DELETED] = " Deleted\n",
        [WORD_UNRESPONSIVE] = " Unresponsive\n",
    };

    buffer_append_string(out, "Driver ");
    buffer_append_number(out, (uint64_t)pid);
    buffer_append_string(out, words[word]);
}

/* "Job 17 Done exit 0", "Job 17 Done lost driver 4711 died (killed by signal 9)" */
static void
text_done(struct buffer *out, const struct job *job)
{
    char result[RESULT_SIZE];
    size_t size = job_result_text(job, result);

    buffer_append_string(out, "Job ");
    buffer_append_number(out, job->number);
    buffer_append_string(out, " Done ");
    buffer_append(out, result, size);
    buffer_append_string(out, "\n");
}

/* A command, with bytes that are not printable as \xNN, and UTF-8 as it is. */
static void
text_command(struct buffer *out, const struct job_text *text)
{
    static const char hex[] = "0123456789abcdef";
    struct span shown = job_text_shown(text);
    const char *at = shown.at, *end = at + shown.size;

    while (at < end) {
        size_t size = printable_size(at, (size_t)(end - at));
        unsigned char byte = (unsigned char)*at;
        char code[] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
        if (size == 0)
            buffer_append(out, code, sizeof(code));
        else
            buffer_append(out, at, size);
        at += size > 0 ? size : 1;
    }
}

/* "Job 17 Waiting" */
static void
text_waiting(struct buffer *out, const struct job *job)
{
    buffer_append_string(out, "Job ");
    buffer_append_number(out, job->number);
    buffer_append_string(out, " Waiting\n");
}

/* "Job 17 Running 4711 9 make", "Job 17 Waiting make", "Job 17 Done exit 0", a tab, "make" */
static void
text_job(struct buffer *out, const struct job_shown *shown)
{
    const struct job *job = shown->job;

    if (job->state == JOB_DONE)
        text_done(out, job);
    else
        text_waiting(out, job);
    out->end--; /* the newline */
    if (job->state == JOB_RUNNING) {
        out->end -= strlen("Waiting");
        buffer_append_string(out, "Running ");
        buffer_append_number(out, (uint64_t)job->driver_pid);
        buffer_append_string(out, " ");
        buffer_append_number(out, (shown->left_ms + 999) / 1000);
    }
    buffer_append_string(out, job->state == JOB_DONE ? "\t" : " ");
    text_command(out, job->text);
    buffer_append_string(out, "\n");
}

/* "2 drivers" */
static void
text_count(struct buffer *out, unsigned count, const char *noun)
{
    buffer_append_number(out, count);
    buffer_append_string(out, " ");
    buffer_append_string(out, noun);
    buffer_append_string(out, count == 1 ? "\n" : "s\n");
}

static size_t
text_error(char *line, const char *code, const char *message)
{
    (void)code;
    return (size_t)snprintf(line, TEXT_SIZE, "Error: %s\n", message);
}

static size_t
text_stats(char *line, const struct counter *counters, size_t count)
{
    size_t size = (size_t)snprintf(line, TEXT_SIZE, "Stats");

    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(line + size, TEXT_SIZE - size, " %s=%" PRIu64, counters[i].name,
                                 counters[i].value);
    return size + (size_t)snprintf(line + size, TEXT_SIZE - size, "\n");
}

static size_t
text_help(char *out, size_t room, const char *usage, const char *help)
{
    return (size_t)snprintf(out, room, "%-26s %s\n", usage, help);
}

static size_t
text_help_count(char *out, size_t room, unsigned count)
{
    return (size_t)snprintf(out, room, "%u commands\n", count);
}

const struct format format_text = {
    .state = text_state,
    .word = text_word,
    .done = text_done,
    .job = text_job,
    .waiting = text_waiting,
    .paused = "Paused\n",
    .resumed = "Resumed\n",
    .count = text_count,
    .error = text_error,
    .stats = text_stats,
    .help = text_help,
    .help_count = text_help_count,
};

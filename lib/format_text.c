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

/* "2 drivers" */
static void
text_count(struct buffer *out, unsigned drivers)
{
    buffer_append_number(out, drivers);
    buffer_append_string(out, drivers == 1 ? " driver\n" : " drivers\n");
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
    .count = text_count,
    .error = text_error,
    .stats = text_stats,
    .help = text_help,
    .help_count = text_help_count,
};

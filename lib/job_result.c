#include "job_result.h"

#include "options.h"

#include <inttypes.h>
#include <stdio.h>

const char *
result_word(const struct job_result *result)
{
    static const char *const words[JOB_ENDINGS] = {
        [JOB_EXIT] = "exit",           [JOB_SIGNAL] = "signal", [JOB_TIMEOUT] = "timeout",
        [JOB_CANCELLED] = "cancelled", [JOB_UNRUN] = "unrun",   [JOB_LOST] = "lost",
    };

    return words[result->ending];
}

bool
result_has_number(const struct job_result *result)
{
    return result->ending == JOB_EXIT || result->ending == JOB_SIGNAL;
}

bool
result_has_reason(const struct job_result *result)
{
    return result->ending == JOB_UNRUN || result->ending == JOB_LOST;
}

bool
result_is_good(const struct job_result *result)
{
    return result->ending == JOB_EXIT && result->value == 0;
}

/* Writes why an output file could not be created. */
static int
output_reason(const struct job *job, char *text, const char *suffix)
{
    return snprintf(text, RESULT_SIZE, "cannot open %s/%" PRIu64 "%s: %s", options.output_path,
                    job->number, suffix, strerror(job->result.value));
}

size_t
job_reason_text(const struct job *job, char *text)
{
    const struct job_result *result = &job->result;
    int size = 0;

    switch (result->reason) {
    case REASON_NONE:
        text[0] = '\0';
        break;
    case REASON_STOPPING:
        size = snprintf(text, RESULT_SIZE, "server is stopping");
        break;
    case REASON_REFUSED:
        size = snprintf(text, RESULT_SIZE, "driver %d did not take it", job->driver_pid);
        break;
    case REASON_LOG:
        size = snprintf(text, RESULT_SIZE, "the log cannot be written");
        break;
    case REASON_CLIENT_GONE:
        size = snprintf(text, RESULT_SIZE, "its client is gone");
        break;
    case REASON_NO_DRIVER:
        size = snprintf(text, RESULT_SIZE, "no driver");
        break;
    case REASON_DIED:
        size = snprintf(text, RESULT_SIZE, "driver %d died (%s)", job->driver_pid,
                        status_text(result->value));
        break;
    case REASON_OVERDUE:
        size = snprintf(text, RESULT_SIZE, "driver %d did not report its end in time",
                        job->driver_pid);
        break;
    case REASON_OUT:
        size = output_reason(job, text, ".out");
        break;
    case REASON_ERR:
        size = output_reason(job, text, ".err");
        break;
    case REASON_UNLOGGED:
        size = snprintf(text, RESULT_SIZE, "its end is not in the log");
        break;
    case REASON_TEXT:
        size = snprintf(text, RESULT_SIZE, "%s", result->why);
        break;
    case REASON_START:
        size = snprintf(text, RESULT_SIZE, "cannot start a process: %s", strerror(result->value));
        break;
    }
    return (size_t)size;
}

size_t
job_result_text(const struct job *job, char *text)
{
    char reason[RESULT_SIZE];
    const char *word = result_word(&job->result);

    if (result_has_number(&job->result))
        return (size_t)snprintf(text, RESULT_SIZE, "%s %d", word, job->result.value);
    job_reason_text(job, reason);
    return (size_t)snprintf(text, RESULT_SIZE, "%s%s%.*s", word, reason[0] != '\0' ? " " : "",
                            RESULT_SIZE - 16, reason);
}

/* Whether the text can be a reason, which replies show. */
static bool
is_reason(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return size > 0 && size < RESULT_SIZE - 16;
}

bool
job_result_parse(const char *text, struct job_result *result)
{
    uint64_t number = 0;

    for (int i = JOB_EXIT; i < JOB_ENDINGS; i++) {
        *result = (struct job_result){.ending = (enum job_ending)i};
        const char *word = result_word(result), *rest = text + strlen(word);
        if (strncmp(text, word, strlen(word)) != 0)
            continue;
        if (!result_has_number(result) && !result_has_reason(result))
            return *rest == '\0';
        if (*rest++ != ' ')
            return false;
        if (result_has_reason(result)) {
            result->reason = REASON_TEXT;
            result->why = rest;
            return is_reason(rest);
        }
        bool valid = digits_parse(rest, strlen(rest), UINT8_MAX, &number) && number <= UINT8_MAX;
        result->value = (int)number;
        return valid;
    }
    return false;
}

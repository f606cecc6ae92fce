#include "json.h"

/* A control character in UTF-8, such as U+009B, stays as it is: \u00XX stands for a byte. */
void
json_command(struct buffer *out, const struct job_text *text)
{
    static const char hex[] = "0123456789abcdef";
    struct span command = job_text_shown(text);
    const char *at = command.at, *end = at + command.size;

    buffer_append_string(out, ",\"command\":\"");
    while (at < end) {
        size_t size = utf8_size(at, (size_t)(end - at));
        unsigned char byte = (unsigned char)*at;
        if (size == 0 || byte < ' ' || byte == 0x7f) {
            char code[] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
            buffer_append(out, code, sizeof(code));
            size = 1;
        } else {
            if (byte == '"' || byte == '\\')
                buffer_append_string(out, "\\");
            buffer_append(out, at, size);
        }
        at += size;
    }
    buffer_append_string(out, "\"");
}

void
json_result(struct buffer *out, const struct job *job)
{
    char reason[RESULT_SIZE], quoted[2 * RESULT_SIZE];

    buffer_append_string(out, "\"");
    buffer_append_string(out, result_word(&job->result));
    buffer_append_string(out, "\":");
    if (result_has_number(&job->result)) {
        buffer_append_number(out, (uint64_t)job->result.value);
    } else if (result_has_reason(&job->result)) {
        job_reason_text(job, reason);
        escape_json(quoted, sizeof(quoted), reason);
        buffer_append_string(out, "\"");
        buffer_append_string(out, quoted);
        buffer_append_string(out, "\"");
    } else {
        buffer_append_string(out, "true");
    }
}

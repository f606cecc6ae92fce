/*
 * format.h: what the lines of replies look like: as text, or as JSON, one object a line.
 *
 * A new format is one more file like format_json.c, and a word of the command session.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include "call.h"

/* What is said of a driver instead of its state. */
enum driver_word {
    WORD_DELETED,
    WORD_UNRESPONSIVE,
};

struct counter {
    const char *name;
    uint64_t value;
};

/* Append to a buffer, which has room for REPLY_SIZE, see reply.h; or make a line, of TEXT_SIZE if
 * not said otherwise, and return its size. */
struct format {
    void (*state)(struct buffer *, const struct call *); /* of OUTCOME_STATE */
    void (*word)(struct buffer *, pid_t, enum driver_word);
    void (*done)(struct buffer *, const struct call *); /* of OUTCOME_DONE */
    void (*count)(struct buffer *, unsigned drivers);   /* closes a list */
    /* The message is printable ASCII; code names the kind of error, for programs. */
    size_t (*error)(char *line, const char *code, const char *message);
    size_t (*stats)(char *line, const struct counter *, size_t count);
    /* A line of help, and the line after the last; neither usage nor help needs an escape. */
    size_t (*help)(char *out, size_t room, const char *usage, const char *help);
    size_t (*help_count)(char *out, size_t room, unsigned count);
};

extern const struct format format_text, format_json;

/* How a job has ended, in a word. */
const char *result_word(const struct proto_result *);

/* Whether that is a way of the job's own, which has a status. */
bool result_has_status(const struct proto_result *);

#endif

/*
 * format.h: what the lines of replies look like: text, or JSON with one object per line.
 *
 * A new format needs a file like format_json.c, and a place in the list in format.c; if it has an
 * option, also a place in format_chosen() there. An Error, and the end of a job, must begin so that
 * session_line() in session.c recognizes them.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include "call.h"

/* What a Driver line shows instead of the driver's state. */
enum driver_word {
    WORD_DELETED,
    WORD_UNRESPONSIVE,
};

/* A job that is not Done, or is one of the last ends. */
struct job_shown {
    const struct job *job;
    pid_t pid;           /* while it runs: its first process; 0: not known */
    uint64_t elapsed_us; /* while it runs */
    uint64_t left_ms;    /* until its limit */
};

struct counter {
    const char *name;
    uint64_t value;
};

/* The functions append a line to a buffer with room for REPLY_SIZE, see reply.h, and for the job's
 * command; or they write to line, which has TEXT_SIZE, or to out, and return the line's size. All
 * sizes are in bytes. */
struct format {
    const char *name;             /* the word for it of the command session; NULL: it has none */
    bool shows_command;           /* done() shows the job's command */
    const char *paused, *resumed; /* the replies to pause and resume */
    void (*state)(struct buffer *, const struct call *); /* for OUTCOME_STATE */
    void (*word)(struct buffer *, pid_t, enum driver_word);
    void (*done)(struct buffer *, const struct job *);                /* for OUTCOME_DONE */
    void (*job)(struct buffer *, const struct job_shown *);           /* a line of get_jobs */
    void (*waiting)(struct buffer *, const struct job *);             /* the reply to submit */
    void (*count)(struct buffer *, unsigned count, const char *noun); /* ends a list */
    /* The message is printable ASCII; code is the kind of error, for programs. */
    size_t (*error)(char *line, const char *code, const char *message);
    size_t (*stats)(char *line, const struct counter *, size_t count);
    /* A line of the help, and the line after the last one. usage and help need no escapes. */
    size_t (*help)(char *out, size_t room, const char *usage, const char *help);
    size_t (*help_count)(char *out, size_t room, unsigned count);
};

extern const struct format format_text, format_json;

enum {
    FORMATS = 2,
};

extern const struct format *const all_formats[FORMATS];

/* Returns the format that the command line chooses. */
const struct format *format_chosen(void);

/* Returns the format with that name, or NULL. */
const struct format *format_find(const struct span *name);

#endif

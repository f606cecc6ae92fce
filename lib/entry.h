/*
 * entry.h: a line of the log of jobs, see joblog.h, when it is read again.
 */
#ifndef ENTRY_H
#define ENTRY_H

#include "job_result.h"

enum job_step {
    STEP_WAITING, /* it was taken, or a driver has not begun it after all */
    STEP_RUNNING, /* a driver gets it */
    STEP_DONE,
    STEPS,
};

/* How a line names a step: as a field, and as the state in JSON. */
struct step_words {
    const char *field, *state;
};

extern const struct step_words step_words[]; /* STEPS of them */

struct entry {
    uint64_t number;
    enum job_step step;
    bool submitted;           /* STEP_WAITING: submit gave it, not run */
    pid_t driver;             /* 0: none */
    uint64_t ms;              /* STEP_WAITING: its limit; STEP_DONE: how long it ran; else 0 */
    struct job_result result; /* STEP_DONE: as the reply has it; STEP_WAITING: if again */
    bool again;               /* STEP_WAITING: it was run before, and ended so */
    bool first;               /* STEP_WAITING: the first job of a server that did not resume */
    uint64_t was;             /* STEP_WAITING: it waits again, and had this number before; else 0 */
    struct span command;      /* as it was given */
};

/* Parses a line, without its newline, and changes it: *entry points into it. Returns
 * false if the line is malformed. */
bool entry_parse(char *line, size_t size, struct entry *entry);

/* The same for a line of a log in JSON. */
bool entry_parse_json(char *line, size_t size, struct entry *entry);

/* Whether the text, which may be empty, can be the beginning of a line. */
bool entry_begins(const char *text, size_t size, bool json);

#endif

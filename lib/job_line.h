/*
 * job_line.h: the command line of a job, and the exec that runs it.
 *
 * A line of plain words runs without a shell. Nothing here allocates.
 */
#ifndef JOB_LINE_H
#define JOB_LINE_H

#include "../proto.h"

enum {
    JOB_WORDS_MAX = PROTO_TEXT_MAX / 2 + 1,
};

struct job_line {
    const char *shell[5];           /* the arguments of the shell that runs the line */
    char *words[JOB_WORDS_MAX + 1]; /* ends with NULL; empty if the line needs a shell */
    char message[128];              /* where job_line_exec() makes its message */
    char split[PROTO_TEXT_MAX + 1]; /* the line, split: the words point into it */
    char text[PROTO_TEXT_MAX + 1];  /* the line, as the shell gets it */
};

/* Copies the line and splits it. It has at most PROTO_TEXT_MAX bytes, none of them zero. */
void job_line_set(struct job_line *, const char *text, size_t size);

/* Replaces this process, which may share its memory with its parent, with the line's program or a
 * shell. Returns only if that fails: it has then written the reason to standard error, and the
 * return value is the exit status that a shell would have, 126 or 127. */
int job_line_exec(struct job_line *);

#endif

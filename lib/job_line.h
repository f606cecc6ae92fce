/*
 * job_line.h: the line of a job, i.e. a shell command, and the exec that runs it.
 *
 * A line that is nothing but words runs without a shell. Nothing here allocates.
 */
#ifndef JOB_LINE_H
#define JOB_LINE_H

#include "../proto.h"

enum {
    JOB_WORDS_MAX = PROTO_TEXT_MAX / 2 + 1,
};

struct job_line {
    const char *shell[5];           /* the arguments of a shell that runs the line */
    char *words[JOB_WORDS_MAX + 1]; /* ends with NULL; holds no word if the line needs a shell */
    char split[PROTO_TEXT_MAX + 1]; /* the line taken apart: the words point into it */
    char text[PROTO_TEXT_MAX + 1];  /* the line as the shell gets it */
};

/* Copies the line, of at most PROTO_TEXT_MAX bytes, none of which is 0, and takes it apart. */
void job_line_set(struct job_line *, const char *text, size_t size);

/* Runs the line in place of this process, which may share its memory with its parent. Returns, with
 * an errno, only if the line cannot be run. */
int job_line_exec(const struct job_line *);

#endif

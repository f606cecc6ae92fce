/*
 * job_line.h: the command line of a job, or its words, and the exec that runs it.
 *
 * A line of plain words runs without a shell, and so do words. Nothing here allocates.
 */
#ifndef JOB_LINE_H
#define JOB_LINE_H

#include "../proto.h"

enum {
    JOB_WORDS_MAX = PROTO_TEXT_MAX, /* each has a byte at its end, even if it is empty */
    JOB_WORDS_SHELL = 3,            /* what a shell that runs a script gets before them */
};

struct job_line {
    const char *shell[5];           /* the arguments of the shell that runs the line */
    bool is_words;                  /* there is no line, and no shell but for a script without #! */
    char message[384];              /* where job_line_exec() makes its message */
    char text[PROTO_TEXT_MAX + 1];  /* the line, as the shell gets it; or the words */
    char split[PROTO_TEXT_MAX + 1]; /* the line, split */
    /* They point into split or text, and end with NULL; none if the line needs a shell. */
    char *words[JOB_WORDS_MAX + 1 + JOB_WORDS_SHELL];
};

/* Copies the line and splits it. It has at most PROTO_TEXT_MAX bytes, none of them zero. */
void job_line_set(struct job_line *, const char *text, size_t size);

/* Copies words, each with a zero byte at its end, of at most PROTO_TEXT_MAX bytes in all. */
void job_line_set_words(struct job_line *, const char *text, size_t size);

/* Replaces this process, which may share its memory with its parent, with the line's program or a
 * shell. Returns only if that fails: it has then written the reason to standard error, and the
 * return value is the exit status that a shell would have, 126 or 127. */
int job_line_exec(struct job_line *);

#endif

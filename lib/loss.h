/*
 * loss.h: what a client that has gone leaves undone, for one line of the log.
 */
#ifndef LOSS_H
#define LOSS_H

#include "job_text.h"

enum {
    LOSS_SIZE = 512, /* of the text of a loss, in bytes */
};

struct loss {
    unsigned jobs;     /* jobs that did not begin */
    unsigned commands; /* tasks that did not begin, and lines that were not run */
    unsigned errors;   /* Errors that it did not get */
    bool half_line;    /* the beginning of a line whose rest never came */
    uint64_t first_job;
    struct job_text *first_text; /* of the first job; shared, NULL if there is none */
};

/* Adds a job that did not begin. */
void loss_add_job(struct loss *, uint64_t number, struct job_text *);

/* Forgets everything. */
void loss_clear(struct loss *);

/* Writes a text such as "2 jobs did not run, the first is job 5: make all" to text, which has
 * LOSS_SIZE. Returns its size: 0 if nothing is lost. */
size_t loss_text(const struct loss *, char *text);

#endif

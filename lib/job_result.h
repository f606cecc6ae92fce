/*
 * job_result.h: what became of a job, in words.
 */
#ifndef JOB_RESULT_H
#define JOB_RESULT_H

#include "job.h"

enum {
    /* Of a RESULT or a reason, in bytes: the longest has the path of an output file. */
    RESULT_SIZE = 1024,
};

/* Returns the first word of RESULT. */
const char *result_word(const struct job_result *);

/* Whether a number follows: the exit status, or the signal. */
bool result_has_number(const struct job_result *);

/* Whether a reason follows: the job is unrun or lost. */
bool result_has_reason(const struct job_result *);

/* Whether it ended as everybody wishes: exit 0. */
bool result_is_good(const struct job_result *);

/* Parses a RESULT; result->why then points into text. Returns false if it is none. */
bool job_result_parse(const char *text, struct job_result *result);

/* Write the reason, or the whole RESULT, to text, which has RESULT_SIZE. Return its size. */
size_t job_reason_text(const struct job *, char *text);
size_t job_result_text(const struct job *, char *text);

#endif

/*
 * tally.h: the jobs of a batch in numbers, for --progress. A batch is what standard input gives
 * without a prompt.
 */
#ifndef TALLY_H
#define TALLY_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Only this module counts; all others read. */
extern struct tally {
    uint64_t given; /* jobs in what was read of the input */
    uint64_t ended; /* jobs that are Done, or were refused by an Error */
    /* Those of them that were neither cancelled nor kept from beginning by a stop or by --halt, and
     * those that in addition did not end with exit 0. */
    uint64_t done, failed;
    uint64_t ran, ran_us; /* how many the server has seen the end of, and for how long they ran */
} tally;

/* The next piece of the input, in which commands that give a job are counted. What comes after a
 * quit is not run, and does not count. */
void tally_input(const char *data, size_t size);

/* A job has ended, or is in the log of jobs and does not run again. */
void tally_job_ended(const struct job_result *, bool past);

/* A command got an Error in place of a job's number or its Done. */
void tally_job_refused(void);

#endif

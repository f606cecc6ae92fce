/*
 * job.h: a job, as the server sees it: its command line and, at the end, its result.
 */
#ifndef JOB_H
#define JOB_H

#include "../proto.h"
#include "text.h"

/* The command line as the driver gets it, without a newline. */
struct job_text {
    size_t size; /* in bytes */
    char bytes[PROTO_TEXT_MAX];
};

struct job {
    struct job_text *text;      /* owned; NULL once the RUN is sent: driver.out_text has it then */
    uint64_t output;            /* number in the names of its output files; 0: it has none */
    struct proto_result result; /* set when it has ended */
};

/* Returns a job with a copy of the command line, or NULL if there is no memory. */
struct job *job_new(const struct span *command);

/* Gives its output files a number, if there is --output. */
void job_number_output(struct job *);

void job_free(struct job *);
void job_text_free(struct job_text *); /* may be NULL */

/* Output files get the numbers after last_output. */
void jobs_open(uint64_t last_output);

/* Whether all jobs and texts have been freed. */
bool jobs_all_freed(void);
void jobs_close(void);

#endif

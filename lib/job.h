/*
 * job.h: a job: a shell command on its way to a driver, and how it ended.
 */
#ifndef JOB_H
#define JOB_H

#include "../proto.h"
#include "text.h"

/* The command as the driver gets it: a line without its newline. */
struct job_text {
    size_t size;
    char bytes[PROTO_TEXT_MAX];
};

struct job {
    struct job_text *text; /* until it is handed to the driver's channel; then NULL */
    uint64_t output;       /* the number in the names of its files in --output; 0: none */
    struct proto_result result;
};

/* Returns a job with a copy of the command, or NULL if there is no memory. */
struct job *job_new(const struct span *command);

/* Numbers the files for its output, if --output wants them. */
void job_number_output(struct job *);

void job_free(struct job *);
void job_text_free(struct job_text *); /* may be NULL */

/* Whether all jobs and texts have been freed. */
bool jobs_all_freed(void);
void jobs_close(void);

#endif

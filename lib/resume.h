/*
 * resume.h: --resume: what the log says of the jobs of earlier servers.
 *
 * A job of standard input whose command is in the log as Done is not run again. What had begun, and
 * of which the log has no end, is lost: at the start that is added to the log, once.
 */
#ifndef RESUME_H
#define RESUME_H

#include "entry.h"
#include "job.h"
#include "list.h"

/* A job that is Done. It lasts until resume_close(). */
struct past {
    struct list link;  /* in a chain of one of resume's tables */
    struct list order; /* resume's begun, if it has begun and is not Done */
    uint64_t number;
    uint64_t limit_ms;
    pid_t driver;
    enum job_step step;
    struct job_result result;
    struct job_text *command;
};

/* Reads the log, if there is --resume. Returns the highest number in it, or 0. Exits if the log
 * cannot be read or is malformed. */
uint64_t resume_open(void);
void resume_close(void);

/* Returns a job with that command that need not run again, or NULL. Once taken, it is not found any
 * more. */
struct past *resume_find(const struct span *command);
void resume_take(struct past *);

#endif

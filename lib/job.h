/*
 * job.h: a job, as the server sees it: a command line on its way, and what became of it.
 *
 * Until a driver has taken a job, its call owns it; from then on until it is Done, the driver; and
 * then its call again, if it has one.
 */
#ifndef JOB_H
#define JOB_H

#include "job_text.h"
#include "result.h"

#include <sys/types.h>

struct call;

enum job_state {
    JOB_WAITING, /* for a driver, or for the driver's answer: it has not begun */
    JOB_RUNNING, /* the driver has taken it, so it may have begun */
    JOB_DONE,
};

struct job {
    uint64_t number;       /* from 1 on */
    struct job_text *text; /* shared; NULL once it is Done, if no reply shows it */
    struct call *call; /* whose line of reply says that it is Done; NULL if its client is gone */
    uint64_t limit_ms;
    pid_t driver_pid; /* 0: it was given to none */
    uint32_t slot;    /* 0: it has none */
    enum job_state state;
    bool any;   /* it is for any driver */
    bool batch; /* standard input gave it, without a prompt */
    bool past;  /* it is from the log of jobs, and does not run again */
    struct job_result result;
};

/* Jobs get the numbers after the highest file of --output and the highest job of the log. */
void jobs_open(uint64_t output, uint64_t logged);
void jobs_close(void);

/* Return a job with a copy of the command line, or of words, of at most PROTO_TEXT_MAX bytes; or
 * NULL if there is no memory. It has no number yet. */
struct job *job_new(const struct span *command, uint64_t limit_ms);
struct job *job_new_words(const struct span *words, uint64_t limit_ms);
void job_free(struct job *);

/* Jobs are numbered in the order in which they are taken. A job that gets an Error after all gives
 * its number back, if that is still the last one. */
void job_number(struct job *);
void job_number_return(struct job *);

/* How many jobs there are, with those that are Done and not told yet. */
size_t jobs_count(void);

/* Whether all jobs and their texts have been freed. */
bool jobs_all_freed(void);

#endif

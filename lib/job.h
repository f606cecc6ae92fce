/*
 * job.h: a job, as the server sees it: a command line on its way, and what became of it.
 *
 * Until a driver has taken a job, its call owns it; from then on until it is Done, the driver; and
 * then its call again, if it has one.
 */
#ifndef JOB_H
#define JOB_H

#include "job_text.h"

#include <sys/types.h>

struct call;

enum job_state {
    JOB_WAITING, /* for a driver, or for the driver's answer: it has not begun */
    JOB_RUNNING, /* the driver has taken it, so it may have begun */
    JOB_DONE,
};

/* How a job has ended: the first word of RESULT. */
enum job_ending {
    JOB_EXIT,
    JOB_SIGNAL,
    JOB_TIMEOUT,
    JOB_CANCELLED,
    JOB_UNRUN,
    JOB_LOST,
    JOB_ENDINGS,
};

/* Why a job is unrun or lost; value is that of struct job_result. */
enum job_reason {
    REASON_NONE,
    REASON_STOPPING,
    REASON_CLIENT_GONE,
    REASON_NO_DRIVER,
    REASON_DIED,    /* its driver: value is its status from wait(2) */
    REASON_OVERDUE, /* its driver did not report the end in time */
    REASON_OUT,     /* its file for standard output cannot be created: value is the errno */
    REASON_ERR,     /* the same for standard error */
    REASON_START,   /* its process cannot be started: value is the errno */
};

struct job_result {
    enum job_ending ending;
    enum job_reason reason;
    int value; /* the exit status, the signal, or what enum job_reason says */
    /* Of a job that has begun and is not lost, see struct proto_result. */
    uint32_t left;
    uint64_t elapsed_us, user_us, system_us, maxrss_kb;
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
    struct job_result result;
};

/* Jobs get the numbers after last. */
void jobs_open(uint64_t last);
void jobs_close(void);

/* Returns a job with a copy of the command line, of at most PROTO_TEXT_MAX bytes, or NULL if there
 * is no memory. It has no number yet. */
struct job *job_new(const struct span *command, uint64_t limit_ms);
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

/*
 * result.h: what became of a job.
 */
#ifndef RESULT_H
#define RESULT_H

#include <stdint.h>

/* The highest number of a job that a file or a log may have: above it there is room for all jobs
 * that will ever be, and each number is still exact in JSON, whose numbers many programs read as
 * doubles. */
#define JOB_NUMBER_MAX UINT64_C(999999999999999)

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

/* Why a job is unrun or lost; value is the one in struct job_result. */
enum job_reason {
    REASON_NONE,
    REASON_STOPPING,
    REASON_REFUSED, /* only in the log of jobs: the reply is an Error */
    REASON_LOG,     /* its beginning cannot be logged */
    REASON_CLIENT_GONE,
    REASON_NO_DRIVER,
    REASON_DIED,     /* its driver: value is its status from wait(2) */
    REASON_OVERDUE,  /* its driver did not report the end in time */
    REASON_OUT,      /* its file for standard output cannot be created: value is the errno */
    REASON_ERR,      /* the same for standard error */
    REASON_START,    /* its process cannot be started: value is the errno */
    REASON_UNLOGGED, /* the log of jobs has its beginning alone */
    REASON_TEXT,     /* why says it */
};

struct job_result {
    enum job_ending ending;
    enum job_reason reason;
    int value;       /* the exit status, the signal, or what enum job_reason says */
    const char *why; /* for REASON_TEXT */
    /* Of a job that has begun and is not lost, see struct proto_result. */
    uint32_t left;
    uint64_t elapsed_us, user_us, system_us, maxrss_kb;
};

#endif

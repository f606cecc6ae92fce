/*
 * stats.h: counters, from the server's start on, for the command stats. Each is incremented where
 * the counted thing happens.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

struct stats {
    int64_t started_ns;      /* when the server started, on CLOCK_MONOTONIC */
    uint64_t commands;       /* commands that have a reply */
    uint64_t errors;         /* lines of replies that are Errors */
    uint64_t created;        /* drivers that came up (HELLO) */
    uint64_t died;           /* drivers that were not told to exit */
    uint64_t replaced;       /* drivers started in place of a kept one that died */
    uint64_t tasks;          /* tasks that drivers have begun */
    uint64_t tasks_done;     /* tasks that ran for their whole time */
    uint64_t jobs;           /* jobs that drivers have taken */
    uint64_t jobs_failed;    /* jobs that ended with a bad status or a signal of their own */
    uint64_t jobs_timed_out; /* jobs that were ended at their time limit */
    uint64_t unanswered;     /* calls that drivers did not answer in time */
    uint64_t jobs_lost;      /* jobs whose end is not known */
    uint64_t jobs_dropped;   /* jobs that did not run because their client was gone */
    uint64_t left;           /* processes that jobs left behind, see --linger */
    uint64_t jobs_live;      /* jobs that are not Done */
    uint64_t jobs_begun;     /* of them, those that drivers have, or were sent */
    uint64_t tasks_cancelled_at_stop;
    uint64_t jobs_cancelled_at_stop, jobs_unrun_at_stop;
};

extern struct stats stats;

#endif

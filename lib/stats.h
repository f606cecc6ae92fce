/*
 * stats.h: what is counted from the start on, for the command stats. Each counter is incremented
 * where the thing happens.
 */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

struct stats {
    int64_t started_ns;         /* when the server was started, on CLOCK_MONOTONIC */
    uint64_t commands;          /* that have a reply */
    uint64_t errors;            /* lines of replies that are Errors */
    uint64_t created;           /* drivers that have said HELLO */
    uint64_t died;              /* drivers that were not told to exit */
    uint64_t replaced;          /* kept drivers among these */
    uint64_t tasks;             /* that drivers have begun */
    uint64_t tasks_done;        /* whose time was over */
    uint64_t jobs;              /* that drivers have begun */
    uint64_t jobs_failed;       /* by a status or a signal of their own */
    uint64_t jobs_timed_out;    /* that were ended at their limit */
    uint64_t unanswered;        /* calls that drivers have not answered in time */
    uint64_t cancelled_at_stop; /* tasks and jobs that the server's own stop has cancelled */
};

extern struct stats stats;

#endif

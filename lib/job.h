/*
 * job.h: a job, as the server sees it: a command line on its way, and what became of it.
 *
 * A job counts its users: one until it is Done, which first is its call and then the driver that
 * has it; when it is Done, each call that tells so, and the list of the last ends.
 */
#ifndef JOB_H
#define JOB_H

#include "job_text.h"
#include "list.h"
#include "result.h"

#include <sys/types.h>

enum job_state {
    JOB_WAITING, /* for a driver, or for the driver's answer: it has not begun */
    JOB_RUNNING, /* the driver has taken it, so it may have begun */
    JOB_DONE,
};

enum {
    ENDS_KEPT = 1000, /* of the jobs that are Done, how many can still be asked for */
};

struct job {
    struct list link; /* jobs' live, by number; once it is Done, jobs' ends, if it is in them */
    struct job *next_hash; /* the chain in jobs' table by number */
    struct list waiters;   /* calls of wait_job and cancel_job that wait for its end */
    struct past *again; /* a submitted job of the log, which waits again, see resume.h; or NULL */
    const struct job_result *before; /* how another try of it ended, see resume.h; or NULL */
    struct giver *giver;             /* who has submitted it, until it is Done; or NULL */
    uint64_t number;                 /* from 1 on */
    struct job_text *text;           /* shared; NULL once it is Done, if no reply shows it */
    struct call *call; /* whose line of reply says that it is Done; NULL if its client is gone */
    uint64_t limit_ms;
    pid_t driver_pid; /* 0: it was given to none */
    pid_t named_pid;  /* the driver that its command names; 0: it is for any driver */
    uint32_t slot;    /* 0: it has none */
    unsigned users;
    bool counted; /* in jobs_count() */
    enum job_state state;
    bool cancelled; /* it must end, or must not begin: somebody has asked for that */
    bool shown;     /* a reply that is still to come shows its text */
    bool batch;     /* standard input gave it, without a prompt */
    bool past;      /* it is from the log of jobs, and does not run again */
    struct job_result result;
};

/* Jobs get the numbers after the highest file of --output and the highest job of the log. */
void jobs_open(uint64_t output, uint64_t logged);
void jobs_close(void);

/* Return a job with a copy of the command line, or of words, of at most PROTO_TEXT_MAX bytes; or
 * NULL if there is no memory. It has no number yet. */
struct job *job_new(const struct span *command, uint64_t limit_ms);
struct job *job_new_words(const struct span *words, uint64_t limit_ms);
void job_free(struct job *); /* by one of its users; the last one frees it */

/* Jobs are numbered in the order in which they are taken, unless they have a number already. A job
 * that gets an Error after all has none any more; if again is set and its number is still the last
 * one, it is given again. */
void job_number(struct job *);
void job_number_return(struct job *, bool again);

/* The job is Done: it is one of the last ends, until ENDS_KEPT others have ended. */
void job_keep_end(struct job *);
void jobs_forget_ends(void);

/* Return a job that is not Done, or is one of the last ends: the one with that number; or the next
 * one by number, without the last ends unless ends is set. Return NULL if there is none.
 * job_after() is fast for the number of the job that it returned last. */
struct job *job_find(uint64_t number);
struct job *job_after(uint64_t number, bool ends);

size_t jobs_count(void);   /* with those that are Done and not told yet, without the last ends */
bool jobs_all_freed(void); /* and their texts, too */

#endif

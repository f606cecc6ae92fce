/*
 * job_tree.h: a job, i.e. a shell command, and all processes that come from it.
 *
 * A job runs in a session, and so in a process group, of its own. To end it, we send its group TERM
 * and, after a grace period, KILL. When its first process has ended, we kill what that has left
 * behind: this process must be a subreaper, and so becomes the parent of all that is left. The job
 * has ended only when nothing of it is left.
 *
 * There can be one job at a time, because all our children are taken for its processes, except
 * those in our own session, which were there before us. Signal dispositions must be default,
 * standard input and output /dev/null. Nothing here allocates, and only the start waits, for the
 * exec.
 */
#ifndef JOB_TREE_H
#define JOB_TREE_H

#include "job_line.h"

#include <limits.h>
#include <sys/types.h>

enum job_stage {
    JOB_NONE,            /* none was started, or nothing is left of it */
    JOB_RUNS,            /* its first process runs, as in the next two stages */
    JOB_TERMINATED,      /* it was sent TERM, and has its grace period */
    JOB_KILLED,          /* it was sent KILL */
    JOB_REST_TERMINATED, /* its first process has ended, the others have their grace period */
    JOB_REST_KILLED,     /* its first process has ended, the others were sent KILL */
};

/* Its owner reads it and only this module writes it, except that it is all 0 at first. */
struct job_tree {
    enum job_stage stage;
    int64_t look_ns;            /* unless JOB_NONE: when to call job_tree_look(); CLOCK_MONOTONIC */
    int64_t grace_ns;           /* from TERM to KILL, if it is ended at its limit */
    pid_t pid;                  /* of its first process, which leads its session */
    struct proto_result result; /* complete when the job has ended */
    int64_t started_ns;
    pid_t parent_pid;       /* our own */
    const char *directory;  /* takes its output, as NUMBER.out and NUMBER.err; */
    uint64_t output_number; /* 0: our standard error does */
    int error;              /* where the child leaves the errno of what has failed */
    /* The rest is large, and not touched before the first job. */
    struct job_line line;
    char path[PATH_MAX]; /* where the child puts together the name of a file */
};

/* Starts the job that a RUN, decoded from data, asks for, and waits for its exec. directory: for
 * the files that take its output, NULL: none can. Returns 0, or the errno that says why the job
 * cannot be run. Each of the functions below may find that the job has ended. */
int job_tree_start(struct job_tree *, const struct proto_frame *request, const void *data,
                   const char *directory);

/* Reaps all children that are dead, also without a job; to be called at SIGCHLD. */
void job_tree_reap(struct job_tree *);

/* To be called at look_ns: asks a job to end at its limit, kills it after its grace period, and
 * then finds out when nothing is left. */
void job_tree_look(struct job_tree *);

/* Asks the job to end, even what is stopped of it, and kills it after that grace period. If it was
 * asked before, it is killed no later than that. */
void job_tree_terminate(struct job_tree *, enum proto_outcome, int64_t grace_ns);

/* Kills the job, which counts as cancelled unless it has ended by itself. */
void job_tree_kill(struct job_tree *);

/* Sends KILL to what there is of the job once more, and leaves it to whoever reaps our orphans. */
void job_tree_abandon(const struct job_tree *);

#endif

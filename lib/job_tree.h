/*
 * job_tree.h: a job, i.e. a shell command, and all processes that come from it.
 *
 * A job runs in its own session, and so in its own process group. To end it, we send TERM to all of
 * its processes, and KILL after a grace period. When its first process has ended, what is left has
 * a moment to end by itself, and is then ended in the same way: this process must be a subreaper,
 * and so becomes the parent of all that. The job has ended only when nothing of it is left.
 *
 * There can be only one job at a time, because all our children count as its processes, except
 * children in our own session, which were there before our exec. The caller's signal dispositions
 * must be default, and its standard input and output /dev/null. Nothing here allocates, and only
 * job_tree_start() waits, for the exec.
 */
#ifndef JOB_TREE_H
#define JOB_TREE_H

#include "environment.h"
#include "family.h"
#include "job_line.h"
#include "text.h"

#include <sys/types.h>

enum job_stage {
    JOB_NONE,       /* there is no job, or nothing is left of it */
    JOB_TAKEN,      /* it has not begun */
    JOB_RUNS,       /* its first process runs, as it does in the next two stages */
    JOB_TERMINATED, /* it was sent TERM, and its grace period runs */
    JOB_KILLED,     /* it was sent KILL */
    JOB_LINGERS,    /* that has ended by itself, and others are there, as in the stages below */
    JOB_REST_TERMINATED, /* they were sent TERM, and the grace period runs */
    JOB_REST_KILLED,     /* they were sent KILL */
};

/* All zero at first. Its owner may read it, but only this module writes it. */
struct job_tree {
    enum job_stage stage;
    int64_t look_ns;            /* when to call job_tree_look(), on CLOCK_MONOTONIC */
    int64_t grace_ns;           /* from TERM to KILL, unless somebody asks for its end */
    pid_t pid;                  /* of its first process, which leads its session */
    struct proto_result result; /* complete when the job has ended */
    int64_t started_ns;
    struct proto_run run;
    uint32_t id;              /* the number of the RUN */
    bool told;                /* BEGUN was sent */
    pid_t parent_pid;         /* our own pid */
    int directory;            /* for its output, as NUMBER.out and NUMBER.err; -1: there is none */
    int error;                /* where the child writes the errno if it fails before the exec */
    enum proto_cause cause;   /* the same: what has failed */
    struct proto_frame begun; /* where the child makes that frame */
    /* The rest is large, and is not touched before the first job. */
    struct job_line line;
    char name[sizeof(".out") + DIGITS_MAX]; /* where the child makes the name of an output file */
    char variables[JOB_VARIABLES][JOB_VARIABLE_SIZE]; /* as NAME=VALUE */
    struct family family;
};

/* Takes the job of a RUN, which was decoded from data, but does not start it yet. directory is for
 * output files; -1 if there is none. */
void job_tree_take(struct job_tree *, const struct proto_frame *request, const void *data,
                   int directory);

/* Starts the job that was taken, and waits for its exec. It has ended at once if it cannot be
 * started, or if its time to begin has passed. After each call of this function or one of the
 * following, the job may have ended: JOB_NONE. */
void job_tree_start(struct job_tree *);

/* Returns the BEGUN of the job, whose process has that pid. */
struct proto_frame job_tree_begun(const struct job_tree *, pid_t);

/* Reaps all dead children, even if there is no job; call it at SIGCHLD. */
void job_tree_reap(struct job_tree *);

/* Call it at look_ns: it asks a job to end at its time limit, or what lingers, kills it after the
 * grace period, and then finds out when nothing is left. */
void job_tree_look(struct job_tree *);

/* Asks the job to end, including its stopped processes; job_tree_look() kills it after that grace
 * period. If the job was asked before, it may be killed earlier, but not later. */
void job_tree_terminate(struct job_tree *, enum proto_outcome, int64_t grace_ns);

/* Kills the job, if there is one; it counts as cancelled unless it has an outcome already. Its
 * processes are stopped first, but for no longer than that; see struct family. */
void job_tree_kill(struct job_tree *, int64_t stopping_ns);

/* Sends KILL to what is left of the job, which may take a fraction of a second. The process that
 * gets our orphans must reap it. */
void job_tree_abandon(struct job_tree *);

#endif

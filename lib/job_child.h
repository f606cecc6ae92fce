/*
 * job_child.h: the child of a driver that becomes the first process of a job: its session, output,
 * variables and exec.
 *
 * The caller's signal dispositions must be default, and its standard input and output /dev/null.
 * The child uses our memory until its exec, and nothing here allocates.
 */
#ifndef JOB_CHILD_H
#define JOB_CHILD_H

#include "environment.h"
#include "job_line.h"
#include "text.h"

#include <sys/types.h>

struct job_child {
    struct proto_run run;
    uint32_t id;              /* the number of the RUN */
    bool told;                /* the child has sent BEGUN itself */
    pid_t parent_pid;         /* our own pid */
    int directory;            /* for its output, as NUMBER.out and NUMBER.err; -1: there is none */
    int error;                /* the errno, if it fails before the exec */
    enum proto_cause cause;   /* the same: what has failed */
    struct proto_frame begun; /* where the child makes that frame */
    /* The rest is large, and is not touched before the first job. */
    struct job_line line;
    char name[sizeof(".out") + DIGITS_MAX]; /* where the child makes the name of an output file */
    char variables[JOB_VARIABLES][JOB_VARIABLE_SIZE]; /* as NAME=VALUE */
};

/* Opens the directory for the output of jobs, for job_child_set(). The arguments are its path, its
 * identity, and a path in /proc that leads there even if it has been renamed or replaced: by the
 * descriptor of the server, which is our parent and has it open. Returns -1 with errno on
 * failure. */
int job_child_open_output(char **arguments);

/* Notes the job of a RUN, which was decoded from data. */
void job_child_set(struct job_child *, const struct proto_frame *request, const void *data,
                   int directory);

/* Starts the child, and waits for its exec. Returns its pid. If it has not begun the job, returns
 * -1, with cause and error; there may be a dead child then, which must be reaped. */
pid_t job_child_start(struct job_child *);

/* Returns the BEGUN of the job, whose process has that pid. */
struct proto_frame job_child_begun(const struct job_child *, pid_t);

#endif

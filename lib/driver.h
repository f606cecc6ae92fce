/*
 * driver.h: a driver, as the server sees it: a process with the other end of a socketpair.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "call.h"
#include "first.h"
#include "wire.h"

enum driver_state {
    DRIVER_STARTING, /* no HELLO yet */
    DRIVER_READY,    /* listed: commands can name it */
    DRIVER_STOPPING, /* told to exit, hung up, condemned or reaped: not listed */
    DRIVER_STATES,
};

/* How far we have gone in ending it. This never goes back. */
enum driver_end {
    END_UNASKED,
    END_CONDEMNED, /* it misbehaved, and we have killed it */
    END_ASKED,     /* EXIT will be sent after the queued calls */
    END_SENT,      /* EXIT was sent */
};

struct driver {
    struct source source;     /* our end of the socketpair; its fd is -1 once it has ended */
    struct list by_age;       /* fleet's drivers, oldest first; once dropped, its dropped ones */
    struct list unsent;       /* fleet's unsent: it may have something to send */
    struct list ended;        /* fleet's ended: its socket has ended, and it is not reaped */
    struct list doomed;       /* fleet's doomed: that, or it was killed, and it is not reaped */
    struct driver *next_hash; /* the chain in fleet's table by pid */
    struct list queued;       /* calls that will be sent to it, oldest first */
    struct list in_flight;    /* calls that were sent and are not answered yet, oldest first */
    struct list ongoing;      /* calls that are answered, and end with its job */
    struct list held;         /* clients that wait for room in queued */
    struct list idle;         /* fleet's idle: it can take a task or job */
    struct list awaited;      /* clients that wait until it has no task or job */
    struct deadline deadline; /* DEADLINE_START while STARTING, DEADLINE_EXIT while STOPPING */
    struct call *birth;       /* the call of a create_driver that waits for HELLO; or NULL */
    const struct request *creator; /* the create_driver that started it; perhaps gone, create.c */
    struct call *death;            /* the call of a delete_driver that waits for its end; or NULL */
    pid_t pid;
    struct pid_text pid_text;
    enum driver_state state;
    enum driver_end end;
    enum proto_work work;       /* what it is busy with, as it last said */
    enum outcome birth_failure; /* the outcome of birth if it is reaped before HELLO */
    bool said_hello;
    bool killed;              /* it was sent KILL */
    bool unheard;             /* its socket was closed before all that it said was read */
    bool reaped;              /* the pid may be another process's by now */
    int status;               /* then from wait(2) */
    int64_t ended_ns;         /* when its socket ended, or it was killed; on CLOCK_MONOTONIC */
    bool kept;                /* it counts for --drivers, and is replaced when it dies */
    bool unresponsive;        /* a call has timed out, and it has said nothing since */
    bool engaged;             /* READY, and busy or with a task or job due; fleet counts these */
    bool ran;                 /* it was sent a job: if it fails, processes of the job may be left */
    bool left_orphans;        /* the last search found children in its job's session */
    bool job_asked;           /* it has answered a cancel_task that it ends its job */
    bool job_overdue;         /* it was killed because it did not end its job in time */
    enum first first;         /* what is known of the end of its job's first process */
    pid_t job_pid;            /* that process, which leads the session; 0: not known */
    struct giver *task_giver; /* the giver of the task that it has; or NULL */
    uint32_t job_id;          /* the number of its job's RUN */
    struct job *job; /* the one that it has taken, and owns; NULL also if it took one too late */
    struct deadline job_deadline; /* DEADLINE_JOB: the RESULT must be there */
    int64_t job_taken_ns;         /* on CLOCK_MONOTONIC */
    unsigned queued_count;
    unsigned work_due;    /* tasks and jobs in queued and in_flight */
    unsigned jobs_due;    /* jobs among these */
    uint32_t sent_id;     /* the number of the last question sent */
    uint32_t answered_id; /* the number of the last one answered; answers are in order */
    uint32_t watched_id;  /* the answer that it owed first when the watchdog last looked; 0: none */
    int64_t started_ns;   /* on CLOCK_MONOTONIC */
    struct wire wire;     /* frames that were sent, or have arrived, only in part */
};

#endif

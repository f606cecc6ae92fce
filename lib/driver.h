/*
 * driver.h: a driver, as the server sees it: a process at the other end of a socketpair.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "call.h"

enum driver_state {
    DRIVER_STARTING, /* no HELLO yet */
    DRIVER_READY,    /* listed, takes calls */
    DRIVER_STOPPING, /* told to exit, hung up or condemned: unlisted */
    DRIVER_STATES,
};

/* How far its end has been our doing. It never goes back. */
enum driver_end {
    END_UNASKED,
    END_CONDEMNED, /* it did what it must not do, and was killed */
    END_ASKED,     /* EXIT will be sent after what is queued */
    END_SENT,      /* EXIT was sent */
};

/* What keeps it busy, as far as it has told. */
enum driver_work {
    WORK_NONE,
    WORK_TASK,
    WORK_JOB, /* job_pid and job_id say which */
};

struct driver {
    struct source source;     /* our end of the socketpair; fd -1: it has ended */
    struct list by_age;       /* fleet's drivers, oldest first; then its dropped ones */
    struct list unsent;       /* fleet's drivers that may have something to send */
    struct list ended;        /* fleet's drivers whose socket has ended and that are not reaped */
    struct driver *next_hash; /* fleet's table by pid */
    struct list queued;       /* calls that wait for room in the socket, oldest first */
    struct list in_flight;    /* calls that it has and has not answered, oldest first */
    struct list ongoing;      /* calls that it has answered, and that end with its job */
    struct list held;         /* clients that wait for room in queued */
    struct list idle;         /* fleet's drivers that could take a task */
    struct list awaited;      /* clients that wait until it has no task */
    struct deadline deadline; /* DEADLINE_START while STARTING, DEADLINE_EXIT while STOPPING */
    struct call *birth;       /* a create_driver that waits for HELLO; or NULL */
    struct call *death;       /* a delete_driver that waits for the end; or NULL */
    pid_t pid;
    struct pid_text pid_text;
    enum driver_state state;
    enum driver_end end;
    enum driver_work work;
    enum outcome birth_failure; /* of its birth, if it is reaped before HELLO */
    bool said_hello;
    bool reaped;       /* the pid is not its own any more */
    bool kept;         /* it is replaced when it dies */
    bool unresponsive; /* it let a call time out and has said nothing since */
    bool engaged;      /* busy, or about to be; counted by the fleet */
    bool ran;          /* it was handed a job, which it may have left behind if it fails */
    bool left_orphans; /* children in its job's session were found when it was last looked for */
    pid_t job_pid;     /* the first process of its job, which leads a session; 0: none runs */
    uint32_t job_id;   /* the number of that job's RUN */
    unsigned queued_count;
    unsigned tasks_due;   /* tasks and jobs among queued and in_flight */
    unsigned jobs_due;    /* jobs among these */
    uint32_t sent_id;     /* number of the last question handed to the socket */
    uint32_t answered_id; /* number of the last one answered: answers come in order */
    int64_t started_ns;
    /* out: the unsent rest of a frame; of a RUN, the last out_text_size bytes of out_text follow.
     * in: the beginning of a frame that has not arrived completely. */
    uint8_t out_size, in_size;
    unsigned char out[PROTO_FRAME_MAX], in[PROTO_FRAME_MAX];
    uint16_t out_text_size;
    struct job_text *out_text;
};

#endif

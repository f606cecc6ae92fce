/*
 * deadline.h: everything that must have happened by a certain time.
 *
 * Nearly all deadlines of a kind run equally long, so the queue of each kind is in order of time.
 * One timerfd is armed for the earliest deadline of all. If there is no deadline, it is disarmed,
 * and the process sleeps until something else happens. A deadline is embedded in the object that it
 * belongs to.
 */
#ifndef DEADLINE_H
#define DEADLINE_H

#include "list.h"

#include <stdint.h>

enum deadline_kind {
    DEADLINE_REPLY,   /* of a call: the driver must answer */
    DEADLINE_START,   /* of a driver: it must say HELLO */
    DEADLINE_EXIT,    /* of a driver that must exit; otherwise it is killed */
    DEADLINE_JOB,     /* of a driver: it must have ended its job, which it should do itself */
    DEADLINE_STOP,    /* of the server: output that is not written then is dropped */
    DEADLINE_TELL,    /* of the server: then the log says what its stop waits for */
    DEADLINE_GIVE_UP, /* of the server: what has not ended then is left behind */
    DEADLINE_SWEEP,   /* of the server: then it searches for dead children */
    DEADLINE_PARTING, /* of a connection that we end: then its socket is closed, see parting.h */
    DEADLINE_RETRY,   /* of the server: then it tries again what lacked memory or a descriptor */
    DEADLINE_REPLACE, /* of the server: then it replaces kept drivers that have died */
    DEADLINE_WATCH,   /* of the server: then it looks which kept drivers have answered */
    DEADLINE_MEMORY,  /* of the server: then it looks for memory that is not needed any more */
    DEADLINE_QUIET,   /* of the server: then the prompt comes back after what a job has written */
    DEADLINE_UPDATE, /* of the server: then there is a turn, which updates the line of --progress */
    DEADLINE_KINDS,
};

struct deadline {
    struct list link; /* deadlines' queue of its kind */
    int64_t at_ns;    /* on CLOCK_MONOTONIC */
};

/* Creates the timerfd. When it expires, over() is called, which must handle what deadline_over()
 * returns for each kind. Returns false with errno on failure. */
bool deadlines_open(void (*over)(void));
void deadlines_close(void);

/* Sets how long a deadline of that kind runs, for those that are started from now on. */
void deadline_set(enum deadline_kind, int64_t timeout_ns);

void deadline_init(struct deadline *);

/* Starts a deadline, or starts it anew. It runs from clock_turn_ns. */
void deadline_start(struct deadline *, enum deadline_kind);

/* The same, for a time of its own. Its place in the queue is searched for, from the end. */
void deadline_start_for(struct deadline *, enum deadline_kind, int64_t timeout_ns);

void deadline_stop(struct deadline *);
bool deadline_is_set(const struct deadline *);

/* Starts DEADLINE_RETRY, unless it is already running. retry_is_due() stops it when it is over. */
void retry_later(void);
bool retry_is_due(void);

/* Returns the earliest deadline of that kind if its time is over, or else NULL. It stays set. */
struct deadline *deadline_over(enum deadline_kind);

/* Whether no deadline of that kind is set. */
bool deadlines_none(enum deadline_kind);

/* Arms the timerfd for the earliest deadline; called at the end of each turn. */
void deadlines_arm(void);

#endif

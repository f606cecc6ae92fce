/*
 * deadline.h: everything that must have happened by a certain time.
 *
 * All deadlines of a kind run equally long, so that the queue of a kind is in order of time; one
 * timerfd is armed for the earliest of all. With no deadline it is disarmed, and the process sleeps
 * until something else happens. A deadline is embedded in the object that it belongs to.
 */
#ifndef DEADLINE_H
#define DEADLINE_H

#include "list.h"

#include <stdint.h>

enum deadline_kind {
    DEADLINE_REPLY,   /* of a call: the driver answers */
    DEADLINE_START,   /* of a driver: it says HELLO */
    DEADLINE_EXIT,    /* of a driver that was told to exit: it does, or is killed */
    DEADLINE_STOP,    /* of the server: output that is not written by then is dropped */
    DEADLINE_SWEEP,   /* of the server: all dead children are looked for */
    DEADLINE_RETRY,   /* of the server: what lacked memory or a descriptor is tried again */
    DEADLINE_REPLACE, /* of the server: kept drivers that have died are replaced */
    DEADLINE_KINDS,
};

struct deadline {
    struct list link; /* the queue of its kind */
    int64_t at_ns;    /* on CLOCK_MONOTONIC */
};

/* Makes the timerfd; over is called when it has expired, to ask deadline_over() for each kind.
 * Returns false with errno on failure. */
bool deadlines_open(void (*over)(void));
void deadlines_close(void);

/* Sets how long deadlines of a kind run that are started from now on. */
void deadline_set(enum deadline_kind, int64_t timeout_ns);

void deadline_init(struct deadline *);

/* Starts a deadline, or starts it anew, from clock_turn_ns on. */
void deadline_start(struct deadline *, enum deadline_kind);
void deadline_stop(struct deadline *);
bool deadline_is_set(const struct deadline *);

/* Starts DEADLINE_RETRY, unless it runs. */
void retry_later(void);

/* The earliest deadline of a kind if its time is over, or NULL. It stays set. */
struct deadline *deadline_over(enum deadline_kind);

/* Whether no deadline of that kind is set. */
bool deadlines_none(enum deadline_kind);

/* Arms the timer; called at the end of each turn. */
void deadlines_arm(void);

#endif

/*
 * timer.h: a timerfd on CLOCK_MONOTONIC in the epoll set.
 */
#ifndef TIMER_H
#define TIMER_H

#include "source.h"

/* Creates a timer, which is not armed yet, as a source, and watches it. Returns false with errno on
 * failure; the descriptor is -1 if it could not be created. */
bool timer_open(struct source *, void (*ready)(struct source *, uint32_t events));

/* Arms the timer for at_ns on CLOCK_MONOTONIC, in place of any earlier setting; 0 disarms it.
 * Returns false with errno on failure. */
bool timer_set(const struct source *, int64_t at_ns);

/* Consumes the expiry, so that epoll does not report it again; for the handler. Returns false if
 * there is none, because the timer was disarmed or set anew after epoll had reported it. */
bool timer_take(const struct source *);

#endif

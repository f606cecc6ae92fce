/*
 * timer.h: a timerfd on CLOCK_MONOTONIC in the epoll set.
 */
#ifndef TIMER_H
#define TIMER_H

#include "source.h"

/* Makes the source a timer, not armed yet, and watches it. Returns false with errno on failure; the
 * descriptor is -1 if it could not be created. */
bool timer_open(struct source *, void (*ready)(struct source *, uint32_t events));

/* Arms the timer for a moment of CLOCK_MONOTONIC, in nanoseconds, in place of any earlier one; 0
 * disarms it. Returns false with errno on failure. */
bool timer_set(const struct source *, int64_t at_ns);

/* For its handler: takes the expiry, so that epoll reports it no more. Returns false if there is
 * none, because the timer was disarmed or set anew after epoll had reported it. */
bool timer_take(const struct source *);

#endif

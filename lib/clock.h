/*
 * clock.h: CLOCK_MONOTONIC in nanoseconds.
 *
 * Whoever waits for several things at once looks at the clock when its wait is over; what happens
 * until the next wait happens at that time.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* The time at the last clock_look(). */
extern int64_t clock_turn_ns;

/* The time now. */
int64_t clock_ns(void);

/* Sets clock_turn_ns to the time now. */
void clock_look(void);

#endif

/*
 * clock.h: CLOCK_MONOTONIC in nanoseconds.
 *
 * sources_wait() reads the clock after each wait. All events of that turn count as happening at
 * that time, clock_turn_ns, unless clock_look() is called again.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* The time of the last clock_look(). */
extern int64_t clock_turn_ns;

/* Returns the time now. */
int64_t clock_ns(void);

/* Sets clock_turn_ns to the time now. */
void clock_look(void);

#endif

/*
 * watchdog.h: --watchdog SECONDS: kills kept drivers that do not answer for that long. lib/keeper.c
 * replaces them.
 *
 * Each time the interval is over, every kept driver must have answered a question since the last
 * time. A driver that owes no answer then is asked for its state.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

/* Starts DEADLINE_WATCH, if there is something to watch. */
void watchdog_open(void);

void watchdog_over(void); /* the time of DEADLINE_WATCH is over */

#endif

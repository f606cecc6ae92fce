/*
 * reaper.h: reaps dead children, and kills what dead drivers have left behind (orphans).
 */
#ifndef REAPER_H
#define REAPER_H

#include "fleet.h"

/* Reaps children that died before SIGCHLD was blocked, and makes this process a subreaper, so that
 * it becomes the parent of a dead driver's children. */
void reaper_open(void);

/* At least one child has died: probably hint, the ssi_pid of the SIGCHLD, and perhaps others. */
void child_died(pid_t hint);

/* Called after the events of each turn. */
void drivers_reap_ended(void); /* reaps drivers whose socket has ended and that are dead by now */
void orphans_kill(void);       /* searches for orphans, if there may be new ones, and kills them */

bool orphans_expected(void);   /* whether there may be orphans that are not reaped yet */
void orphans_look_again(void); /* if so, the next orphans_kill() searches again */

/* The time of DEADLINE_SWEEP is over: reaps all dead children. */
void children_sweep(void);

/* The time of a driver's DEADLINE_EXIT is over: kills it. */
void driver_exit_timed_out(struct driver *);

#endif

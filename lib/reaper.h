/*
 * reaper.h: children that have died, and what drivers that were killed have left behind.
 */
#ifndef REAPER_H
#define REAPER_H

#include "fleet.h"

/* Reaps what has died before we were there, and becomes a subreaper, so that the children of
 * drivers that die become ours. */
void reaper_open(void);

/* A child has died, perhaps that one (ssi_pid of the SIGCHLD), and others with it. */
void child_died(pid_t hint);

/* At the end of a turn: reaps drivers whose socket has ended, if they have died by now; looks for
 * orphans and kills them, if there is reason to. */
void drivers_reap_ended(void);
void orphans_kill(void);

/* Whether there may be orphans that are not found yet; has them looked for again. */
bool orphans_expected(void);
void orphans_look_again(void);

/* DEADLINE_SWEEP is over: reaps all children that are dead. */
void children_sweep(void);

/* A driver's DEADLINE_EXIT is over: it is killed. */
void driver_exit_timed_out(struct driver *);

#endif

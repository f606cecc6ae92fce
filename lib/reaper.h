/*
 * reaper.h: reaps dead children, and kills what drivers have left behind (orphans): those that are
 * reaped, and those that are dead or were killed but cannot be reaped. One of these orphans may be
 * the reason for that, as a tracer of its driver, ptrace(2).
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

/* Kills the orphans without another turn, though some may not be stopped yet. Leaves errno
 * alone. */
void orphans_kill_now(void);

bool orphans_under_way(void); /* whether the next turn must come at once, to go on with that */

void orphans_look_again(void); /* if any may be left, the next orphans_kill() searches again */

/* The time of DEADLINE_SWEEP is over: reaps all dead children. */
void children_sweep(void);

/* The time of a driver's DEADLINE_EXIT is over: kills it. */
void driver_exit_timed_out(struct driver *);

/* At the stop, when all drivers are killed: whether something is left that must be reaped. After a
 * while, which is less than a second with at_once, DEADLINE_GIVE_UP is over, and what is left no
 * longer counts, since it cannot be killed or reaped. */
bool reaper_expects(void);
void reaper_give_up_later(bool at_once);
void reaper_give_up(void);

/* Logs the pids of what is left. */
void reaper_close(void);

#endif

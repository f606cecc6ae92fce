/*
 * suspects.h: drivers that may have left orphans: those that are dead, and those that are stuck,
 * which are dead or were killed but cannot be reaped. How to tell what they have left.
 */
#ifndef SUSPECTS_H
#define SUSPECTS_H

#include "fleet.h"
#include "survivors.h"

/* Returns the next driver that had a job, may be dead, or should be by now, and is not reaped, the
 * first after NULL: as when a process of its job traces it. A driver that is just ending is so for
 * a moment. */
struct driver *stuck_next(struct driver *);

/* Returns the next driver that may have left orphans, the first after NULL: those that were reaped,
 * then those that are stuck. */
struct driver *suspect_next(struct driver *);

/* Whether a child is an orphan, left by a driver; for family_end(). */
bool child_is_orphan(pid_t);

/* Notes for all of them whether the search for orphans has found what they left. */
void suspects_set_left_orphans(bool left);

/* Without a /proc of our own, orphans are known only as the process groups of jobs. These functions
 * kill them, and return whether there is any; and add the number of each. */
bool suspects_kill_groups(void);
void suspects_add_groups(struct survivors *);

#endif

/*
 * family.h: ends a family: some of our children, and all processes that descend from them.
 *
 * Whoever kills processes one by one loses against a family that forks as fast. So the family is
 * first stopped (SIGSTOP), in passes from our children down, until a pass finds nothing that runs,
 * or for a while nothing that has come or gone; then one more pass kills it. The children of a
 * killed process become ours, if we are a subreaper, and are found the next time if this pass has
 * missed them. A member that traces us or our parent is killed before any is stopped.
 *
 * Only processes that still descend from us are signalled. Nothing here allocates or blocks. A
 * call of family_end() works for a few milliseconds; the next one goes on where it has stopped.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include "children.h"

#include <stdint.h>

enum {
    FAMILY_TURN_MS = 5, /* how long a call of family_end() may take */
    /* What one pass can remember: in a family that is deeper or wider, it passes over what does not
     * fit. A later call finds that, when what is in front of it has been killed. */
    FAMILY_PENDING_MAX = 2048,
};

/* What family_end() has found. */
enum family_found {
    FAMILY_NONE,     /* there is no such child */
    FAMILY_STOPPING, /* it is not done; call it again soon */
    FAMILY_KILLED,   /* all that was found was sent KILL; call it again when some are reaped */
    FAMILY_UNKNOWN,  /* the search failed for lack of something, see errno and children.h */
    FAMILY_NO_PROC,  /* no search is possible, see errno and children.h */
};

/* What a pass does with each process of a family. */
enum family_pass {
    FAMILY_STOPS, /* SIGSTOP */
    FAMILY_KILLS, /* SIGKILL */
    FAMILY_COUNTS,
    FAMILY_ASKS, /* SIGTERM, and SIGCONT so that a stopped one gets it */
};

/* All zero at first. */
struct family {
    /* The owner may set it: how long it may take to stop all, before what runs is killed, too; 0:
     * two seconds; below 0: nothing is stopped. Doubles if a pass has killed others than before. */
    int64_t stopping_ns;
    enum family_pass pass; /* the one that is under way */
    unsigned living;       /* how many it has found so far that are not dead */
    bool runs;             /* it has found a process that runs, or may have missed one */
    uint64_t seen;         /* the sum of the squares of the pids that it has seen */
    uint64_t seen_before;  /* the same of the pass before */
    uint64_t seen_killed;  /* the same of the last one that killed */
    bool settled;          /* the last two that killed have seen the same processes */
    int64_t since_ns;      /* when the first pass began; 0: none has begun */
    pid_t our_pid;
    unsigned count; /* how many are pending; 0: no pass is under way */
    struct family_member {
        pid_t pid;
        pid_t parent; /* in whose list of children it was */
    } pending[FAMILY_PENDING_MAX];
};

/* Ends the children for which ours() returns true, with all their descendants. Needs one free
 * descriptor, and works better with three. */
enum family_found family_end(struct family *, bool (*ours)(pid_t));

/* Asks the same processes to end, and sets *count to how many there were, without dead ones. The
 * process group, if it is not 0, is asked as a whole, so that it cannot fork in between. Takes up
 * to two tenths of a second, if there are thousands. Does not return FAMILY_KILLED;
 * FAMILY_STOPPING: there are such processes. */
enum family_found family_ask(struct family *, bool (*ours)(pid_t), pid_t group, unsigned *count);

/* Calls visit() for each of them, dead ones included. Returns what family_ask() does. */
enum family_found family_list(struct family *, bool (*ours)(pid_t),
                              void (*visit)(pid_t, void *visitor), void *visitor);

#endif

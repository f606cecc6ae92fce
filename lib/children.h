/*
 * children.h: starting, finding and reaping the children of this process.
 *
 * All children are found, not only those started here: also those that this process had before its
 * exec, and those that it got as a subreaper, prctl(2).
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What children_each() has found. */
enum children {
    CHILDREN_NONE,    /* visit() returned true for no child */
    CHILDREN_FOUND,   /* visit() returned true for at least one */
    CHILDREN_UNKNOWN, /* the search failed for lack of a descriptor or of memory, see errno */
    CHILDREN_NO_PROC, /* no search is possible: there is no /proc, it is not ours, or it refuses */
};

/* Whether /proc shows our own pid namespace. If not, errno says why. */
bool proc_is_ours(void);

/*
 * Calls visit() for each child that is not reaped yet; visit() returns whether the child is one of
 * those that the caller looks for. Needs one free descriptor.
 *
 * The /proc of an outer pid namespace gives every process another number: ours has a different pid,
 * and the pids of our children belong to strangers. errno is then ENOENT.
 */
enum children children_each(bool (*visit)(pid_t pid, void *argument), void *argument);

/* The same for the children of a thread of another process; the first thread's number is the pid.
 * The caller has made sure that /proc is ours. */
enum children children_of_thread(pid_t thread, bool (*visit)(pid_t pid, void *argument),
                                 void *argument);

/* Whether a child, perhaps a dead one, is in that process group. The group then cannot be another
 * one that has got the same number. */
bool child_in_group(pid_t group);

/* Reaps a dead child: the one with that pid, or any if pid is -1. Returns its pid, 0 if none is
 * dead, or -1 with errno if there is no such child. status and usage are set as by wait4(2); usage
 * may be NULL. */
pid_t child_wait(pid_t pid, int *status, struct rusage *usage);

/*
 * Starts a child that calls run(), which must end in an exec or return. flags are added to the
 * flags of clone(2). The child has its own stack but uses our memory (CLONE_VM), and we are
 * suspended until its exec has succeeded or it has died (CLONE_VFORK). So run() may make system
 * calls, but must write only to memory that is reserved for it; if something fails, it writes the
 * errno to *error. Returns the pid, or -1 with errno. If *error is not 0 afterwards, the child is
 * dead and must still be reaped.
 *
 * The program that run() runs inherits blocked signals, see signals_unblock(), and O_NONBLOCK of
 * the descriptors that it gets: most programs expect neither.
 */
pid_t child_start(int (*run)(void *error), int flags, int *error);

#endif

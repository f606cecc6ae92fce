/*
 * children.h: the children of this process: starting, finding and reaping them.
 *
 * Whoever else has made a child of this process, and whichever became one because this process is a
 * subreaper, prctl(2), is found as well.
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What a look for children has come to. */
enum children {
    CHILDREN_NONE,    /* there is none that the visitor took for its own */
    CHILDREN_FOUND,   /* there is */
    CHILDREN_UNKNOWN, /* they cannot be looked for now; see errno */
    CHILDREN_NO_PROC, /* they cannot be looked for at all: there is no /proc */
};

/* Calls visit for each child that is not reaped. It returns whether the child is one that is looked
 * for. Takes one descriptor while it looks. */
enum children children_each(bool (*visit)(pid_t pid, void *argument), void *argument);

/* Reaps a dead child: that one, or any (-1). Returns its pid, 0 if none is dead, -1 with errno if
 * there are no children. usage: as of wait4(2); may be NULL. */
pid_t child_wait(pid_t pid, int *status, struct rusage *usage);

/*
 * Starts a child on its way to an exec, with these clone(2) flags added. It runs on a stack of its
 * own but in our memory, and we wait until its exec has happened or it has died (CLONE_VM,
 * CLONE_VFORK): run may make system calls, and must write only to what is set aside for it and to
 * *error, where it leaves the errno of what has failed. Returns the pid, or -1 with errno. If
 * *error is not 0 afterwards, the child is dead, and must still be reaped.
 */
pid_t child_start(int (*run)(void *error), int flags, int *error);

#endif

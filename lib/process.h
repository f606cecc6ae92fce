/*
 * process.h: what /proc says of a process, and signals to it. The caller has made sure that /proc
 * is ours, see children.h. Each look needs one free descriptor.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
    char state; /* a letter, proc(5) */
    pid_t parent;
    long threads;
};

/* Returns false if there is no such process, or it cannot be looked at; see errno. */
bool process_look(pid_t pid, struct process *process);

/* Whether the process is dead. If only its first thread is, it is not. */
bool process_is_dead(const struct process *process);

/* Returns the pid of the thread that traces the process as a debugger does, ptrace(2), or 0. */
pid_t process_tracer(pid_t pid);

/* Sends a signal, by the pidfd if that is not -1. Returns false with errno on failure. */
bool process_signal(pid_t pid, int pidfd, int number);

#endif

/*
 * first.h: the first process of a job, as the server finds it by itself. It is a child of the
 * driver and leads its session. The driver reports its pid, but may be late; and the driver may be
 * killed before it reports how the job has ended.
 */
#ifndef FIRST_H
#define FIRST_H

#include "job.h"

/* What is known of its end, if the driver does not tell. */
enum first {
    FIRST_UNKNOWN,
    FIRST_RAN_ON, /* it ran when the driver was asked to end it, or was killed, and that ended it */
    FIRST_ENDED,  /* it had ended by itself by then, or did so later */
};

/* Looks at the driver, a child of ours that is not reaped. *pid is the pid of the job's first
 * process, or 0 if it is not known; it is set if it is found now. */
enum first first_look(pid_t driver, pid_t *pid);

/* Returns what the status of the first process, from wait(2), says, if it had not ended before it
 * was asked to. */
enum first first_status(int status);

/* Logs, if that was asked for, that the job has begun. */
void first_log(const struct job *, pid_t pid);

#endif

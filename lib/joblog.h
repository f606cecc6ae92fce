/*
 * joblog.h: the log of jobs, --log: a line for each step of each job, as it happens.
 *
 * The line that says that a job runs is written before the job can begin. Lines are appended, each
 * with one write(2).
 */
#ifndef JOBLOG_H
#define JOBLOG_H

#include "entry.h"
#include "job.h"

/* Opens the log, if there is one to be kept. Exits if that is not possible. joblog_start() is
 * called when it has been read, and before the first line is written. */
void joblog_open(void);
void joblog_start(void);
void joblog_close(void);

/* Opens the file anew, in case it was moved away. If that fails, the old one stays in use. */
void joblog_reopen(void);

/* The next step is that a job of an earlier server waits again. Its line says which number it had:
 * it gets another one, or other servers have given that one, too. */
void joblog_was(uint64_t number);

/* Logs a step. Returns false if that fails: the server must stop, and the job must not begin. */
bool joblog_step(const struct job *, enum job_step);

bool joblog_has_failed(void);

/* Reads the whole log, and calls visit() for each line. Exits if that is not possible. */
void joblog_read(void (*visit)(const struct entry *));

#endif

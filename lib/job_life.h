/*
 * job_life.h: a job's life. It is taken, begins and ends here and nowhere else; whatever follows
 * from that (the reply, the log, the counters, the exit status) follows here.
 */
#ifndef JOB_LIFE_H
#define JOB_LIFE_H

#include "driver.h"
#include "resume.h"

/* The call is for that job from now on, and owns it. The job gets its number. */
void job_take(struct call *, struct job *);

/* The same for a call without a request: the job was submitted, and nobody waits for it. */
void job_submit(struct call *, struct job *, struct giver *);

/* The client submits the job; or gives one again that was submitted to an earlier server and is not
 * Done. */
void job_adopt(struct job *, struct client *);

/* The driver will be sent the job, which gets a slot. Returns false if the job must not begin,
 * because that cannot be logged. */
bool job_assign(struct job *, const struct driver *);

/* A driver has not begun the job, which waits again. */
void job_return(struct job *);

/* How many submitted jobs have not begun. */
uint64_t jobs_submitted_waiting(void);

/* Whether the batch that the job belongs to has ended, see client_halted(). */
bool job_is_halted(const struct job *);

/* The call is for a job of the log, which does not run again, and is Done. */
void job_recall(struct call *, struct job *, const struct past *);

/* The job gets an Error in place of a Done: it does not run. */
void job_refuse(struct job *);

/* For the exit status of the server: a job of the client got an Error, or a signal stops the server
 * before the client has given its last job. */
void client_job_refused(const struct client *);
void client_unfinished(const struct client *);

/* Returns why no more commands of the client are run, if a job of its batch has failed, see --halt;
 * otherwise NULL. */
const char *client_halted(const struct client *);

/* Whether the batch has halted since the last call. */
bool batch_has_halted(void);

/* The driver has taken the job of the call. */
void job_begin(struct driver *, struct call *);

/* The driver has started the job's process. */
void job_begun(struct driver *, pid_t);

/* Ends the job: its call, if it has one, has its outcome then, and otherwise the job is freed. */
void job_end(struct job *, const struct job_result *);

/* The same for a job that has not begun, and for the one that the driver had taken. */
void job_unrun(struct job *, enum job_reason, int value);
void job_end_soon(struct driver *);  /* the driver was asked to end its job: it has not long */
void job_end_unbegun(struct job *);  /* it is cancelled, or its batch has halted */
void job_unrun_halted(struct job *); /* because its batch has ended, see client_halted() */
void job_of_driver_end(struct driver *, const struct job_result *);

/* The deadline of the driver's job is over. If we are so late that we must have been stopped, gives
 * the driver the grace period and some time anew, and returns true. */
bool job_gets_time(struct driver *);

/* Returns what a driver's RESULT says. */
struct job_result job_result_of(const struct proto_result *);

#endif

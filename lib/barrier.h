/*
 * barrier.h: unanswered commands that hold back the later ones of their client: a create_driver, a
 * wait, the cancellation of a job, a get_jobs, or a task or job that still waits for any driver. A
 * client has at most one, client.barrier.
 */
#ifndef BARRIER_H
#define BARRIER_H

#include "call.h"

/* Puts the client of the request, which has one call, into a list of clients that wait. */
void request_wait(struct request *, struct list *list);

/* Has the call wait for the end of the job. */
void call_await_job(struct call *, struct job *);

/* If the call holds back its client's later commands, it does so no longer. */
void call_leave_barrier(struct call *);

/* End the wait of a client, or of the first one in a list. Return the call that was waiting, which
 * must get an outcome or a driver now. */
struct call *client_resume(struct client *);
struct call *clients_resume_first(struct list *list);

/* Ends the waits of all clients in a list, with that outcome. */
void clients_resume(struct list *list, enum outcome);

#endif

/*
 * answer.h: the kinds of questions to a driver, and how the server handles what a driver says.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "fleet.h"
#include "question.h"

extern const struct question question_task, question_job, question_status, question_cancel;

/* Returns the number of the next request: numbers begin at 1, and 1 also follows the last one. */
static inline uint32_t
id_after(uint32_t id)
{
    id++;
    return id + (id == 0);
}

/* Takes back a task or job with that number: one whose answer did not come in time, because the
 * client's Error means that it does not run; or a job that must end. The driver finds the CANCEL
 * after the TASK or RUN, whenever it reads again. */
void driver_revoke(struct driver *, uint32_t id);

/* Handles a frame from the driver, which was decoded from data. Condemns the driver if the frame
 * cannot be true. */
void driver_said(struct driver *, const struct proto_frame *, const unsigned char *data);

/* The driver will not begin the job of a call that was queued for it or sent to it: another driver
 * gets the job, if it is for any; otherwise the call ends. why is OUTCOME_TIMEOUT, OUTCOME_DIED
 * (and call.status is set) or, if the client is gone, OUTCOME_STOPPING. */
void driver_job_not_begun(struct driver *, struct call *, enum outcome why);

/* Condemns a driver that broke the protocol, and logs "WHAT VALUE" as the reason. */
void driver_condemn_malformed(struct driver *, const char *what, unsigned value);

#endif

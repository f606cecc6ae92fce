/*
 * answer.h: the kinds of questions to a driver, and what follows from what a driver says.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "fleet.h"
#include "question.h"

extern const struct question question_task, question_job, question_status, question_cancel;

/* Requests are numbered from 1; the number after the last is 1 again. */
static inline uint32_t
id_after(uint32_t id)
{
    return id == UINT32_MAX ? 1 : id + 1;
}

/* Takes a frame that the driver has said, and that was decoded from data. One that cannot be true
 * condemns the driver. */
void driver_said(struct driver *, const struct proto_frame *, const unsigned char *data);

/* Condemns a driver that breaks the protocol. The log has "WHAT VALUE". */
void driver_condemn_malformed(struct driver *, const char *what, unsigned value);

#endif

/*
 * question.h: what differs between the kinds of questions to a driver. The kinds are in answer.c.
 */
#ifndef QUESTION_H
#define QUESTION_H

#include "../proto.h"

struct call;
struct driver;

struct question {
    enum proto_type type;
    bool makes_busy; /* the driver is busy from when it is asked until it has answered, at least */
    bool is_job;     /* what makes it busy is a job */
    bool goes_on;    /* the call ends only with the job that the driver has then */
    /* Puts the body, and text if there is any, after the header. Returns the size of both. NULL:
     * there is no body. */
    size_t (*put)(const struct call *, unsigned char *data);
    /* Whether that can be the answer. */
    bool (*fits)(const struct driver *, const struct proto_state *);
    /* What follows from an answer that does not refuse; NULL: nothing. */
    void (*taken)(const struct driver *, const struct call *);
};

#endif

/*
 * question.h: how the kinds of questions to a driver differ. The kinds are in answer.c.
 */
#ifndef QUESTION_H
#define QUESTION_H

#include "../proto.h"

struct call;
struct driver;

struct question {
    enum proto_type type;
    bool makes_busy; /* the driver counts as busy until it has answered */
    bool is_job;     /* it makes the driver busy with a job */
    bool goes_on;    /* if the driver then runs a job, the call ends with that job */
    /* Writes the body, and the text if there is any, to data. Returns the size of both, in bytes.
     * NULL if there is no body. */
    size_t (*put)(const struct call *, unsigned char *data);
    /* Whether that STATE can be the answer. */
    bool (*fits)(const struct driver *, const struct proto_state *);
    /* Called if the driver does not refuse; may be NULL. */
    void (*taken)(struct driver *, struct call *);
};

#endif

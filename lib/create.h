/*
 * create.h: the command create_driver, from its start until the last driver has come up.
 */
#ifndef CREATE_H
#define CREATE_H

#include "fleet.h"

enum {
    /* Drivers that may be starting at once for one command: enough to keep the processors busy. */
    STARTING_MAX = 32,
};

/* Starts the next driver that the request must still start; waits for its exec. Returns whether the
 * request may go on at once. */
bool create_continue(struct request *);

/* The driver has died before it said HELLO: its birth, if somebody waits for it, has failed. */
void create_failed(struct driver *, int status);

#endif

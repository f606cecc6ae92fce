/*
 * create.h: the command create_driver, until its last driver has come up.
 */
#ifndef CREATE_H
#define CREATE_H

#include "fleet.h"

enum {
    /* How many drivers may be starting at once for one command: enough to keep all processors
     * busy. */
    STARTING_MAX = 32,
};

/* Starts one of the drivers that the request must still start, and waits for its exec. Does nothing
 * if there is none, or if it must wait. Returns whether it may be called again at once. */
bool create_continue(struct request *);

/* The driver was reaped, with that status. If a create_driver still waits for its HELLO, that has
 * failed. */
void create_failed(struct driver *, int status);

#endif

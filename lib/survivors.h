/*
 * survivors.h: the pids of what a stop could not end, for the log.
 */
#ifndef SURVIVORS_H
#define SURVIVORS_H

#include <stddef.h>
#include <sys/types.h>

enum {
    SURVIVORS_SIZE = 512, /* of pids in a line of the log */
};

/* A line that is being made. All zero at first. */
struct survivors {
    char pids[SURVIVORS_SIZE];
    size_t size;
};

void survivors_add(struct survivors *, pid_t);
void survivors_flush(struct survivors *); /* logs the line, if there are any pids in it */

#endif

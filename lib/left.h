/*
 * left.h: the pids of what a stop could not end, for the log.
 */
#ifndef LEFT_H
#define LEFT_H

#include <stddef.h>
#include <sys/types.h>

enum {
    LEFT_LINE_SIZE = 512, /* of pids in a line of the log */
};

/* A line that is being made. All zero at first. */
struct left {
    char pids[LEFT_LINE_SIZE];
    size_t size;
};

void left_add(struct left *, pid_t);
void left_flush(struct left *); /* logs the line, if there are any pids in it */

#endif

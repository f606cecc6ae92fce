/*
 * reader.h: a client's input: reading it, its end, and what happens when a client is gone.
 */
#ifndef READER_H
#define READER_H

#include "call.h"

/* Reads once. Where the console is a terminal that we are in the background of, this stops us as a
 * job of the shell. */
void client_read(struct client *);

/* The other end of a connection is closed. What it sent before still counts, as far as it can be
 * done at once; nobody reads the replies, and nobody waits. */
void client_gone(struct client *);

/* A client that is gone does without what it would have to wait for. */
void client_give_up(struct client *);

/* A client's input or output failed. A connection is gone with that; if the console is the only
 * client, the server stops. */
void client_failed(struct client *, const char *what, int error);

/* Stops us as a job of the shell, by SIGTSTP or SIGTTIN. whom: as for kill(2). */
void job_stop(int number, pid_t whom);

#endif

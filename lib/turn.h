/*
 * turn.h: a client's turn: its replies are written, its commands are read and run.
 *
 * Clients share the time of a turn of the loop, so a client that floods us delays the replies of
 * the others by a few milliseconds at most.
 */
#ifndef TURN_H
#define TURN_H

#include "client.h"

enum {
    LINE_MAX_SIZE = 4096, /* of a command with its newline, in bytes: as long as a terminal's */
};

/* The last byte sent to a client that asked for it (session farewell): ASCII End of Transmission,
 * which no reply contains. It tells a complete conversation from one that ended because the server
 * was killed. */
#define FAREWELL "\4"

/* Gives each scheduled client one turn, until the time for all of them is over. */
void clients_run(void);

/* Whether the client has ended and everything that it is owed has been written. */
bool client_finished(const struct client *);

/* Ends all connections at once. */
void clients_end(void);

#endif

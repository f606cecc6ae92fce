/*
 * turn.h: what a client does in its turn: its replies are written, its commands are read and run.
 *
 * Clients share the time of a turn of the loop: nobody's reply comes later than by a few
 * milliseconds because another client floods us.
 */
#ifndef TURN_H
#define TURN_H

#include "client.h"

enum {
    LINE_MAX_SIZE = 4096, /* a command with its newline, as long as a terminal's longest line */
};

/* The last byte sent to a client that asked for it (session farewell): ASCII End of Transmission,
 * which no reply contains. It tells a complete conversation from one that ended because the server
 * was killed. */
#define FAREWELL "\4"

/* Gives the clients that are scheduled their turns, each at most one, until their time is over. */
void clients_run(void);

/* Nothing more will be read from the client, run, answered or written. */
bool client_finished(const struct client *);

/* Ends a client for which nothing is left to do: a connection is closed; the console's end is the
 * server's, if it is the only client. */
void client_end(struct client *);

#endif

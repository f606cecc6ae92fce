/*
 * parting.h: connections whose conversation the server ends: after quit, at a stop, and at a
 * refusal.
 *
 * If a socket is closed while input is unread, the other end gets ECONNRESET where it should find
 * the end. If it is still writing, SIGPIPE may end it before it has read the replies. So only our
 * sending side is shut down at first, and what still comes is read and dropped, until the other end
 * closes, too, or PARTING_MS are over.
 */
#ifndef PARTING_H
#define PARTING_H

#include "client.h"

/* Ends the conversation with a connection that is owed nothing more. It does not count as a client
 * any more, and is dropped in time. */
void client_part(struct client *);

/* Closes the socket at once. The other end still gets what it was sent, and then the end. */
void socket_end(int fd);

/* Drops the connections whose time is over; the deadline is DEADLINE_PARTING. */
void partings_over(void);

/* Drops all. Returns whether there was one. */
bool partings_end(void);

/* Whether one of our own user still sends, so that a stop waits for it. */
bool partings_hold(void);

#endif

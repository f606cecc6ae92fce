/*
 * channel.h: the bytes between the server and a driver: sending the calls that are queued,
 * receiving frames, and the end of the socket.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "fleet.h"

/* The handler of a driver's source. */
void driver_ready(struct source *, uint32_t events);

/* Reads once from the driver and handles what came. Returns false when there is nothing more. */
bool driver_receive(struct driver *);

/* Sends as much of what is queued as the socket takes; the rest waits for EPOLLOUT. */
void driver_flush(struct driver *);

/* Frees the text of a job of which a part was sent. */
void driver_drop_text(struct driver *);

/* A call's DEADLINE_REPLY, or a driver's DEADLINE_START, is over. */
void call_timed_out(struct call *);
void driver_start_timed_out(struct driver *);

#endif

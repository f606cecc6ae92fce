/*
 * channel.h: the bytes between the server and a driver: sends queued calls, receives frames, and
 * handles the end of the socket.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "fleet.h"

/* The handler of a driver's source. */
void driver_ready(struct source *, uint32_t events);

/* Reads once from the driver and handles what it said. Returns false if there is nothing to
 * read. */
bool driver_receive(struct driver *);

/* Sends as many of the queued calls as the socket takes; the rest wait for EPOLLOUT. */
void driver_flush(struct driver *);

void call_timed_out(struct call *);           /* its DEADLINE_REPLY has passed */
void driver_start_timed_out(struct driver *); /* its DEADLINE_START has passed */
void driver_job_timed_out(struct driver *);   /* its DEADLINE_JOB has passed */

#endif

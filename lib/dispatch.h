/*
 * dispatch.h: which call gets which driver, and waits for all drivers.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "fleet.h"

void dispatch_open(void);

/* Clients that wait until no driver has a task or job, and none is awaited; and clients that wait
 * until all that they have given themselves has ended. While the server is paused, only what has
 * begun counts. */
struct list *dispatch_all(void);
struct list *dispatch_own(void);

/* Gives the driver to the call. A job whose beginning cannot be logged ends. */
void call_assign(struct call *, struct driver *);

/* Gives idle drivers to the calls that wait for one, first come, first served. */
void calls_assign(void);

/* Ends the waits that are over. */
void waits_end(void);

/* Ends all waits, because the server is stopping. */
void dispatch_stop(void);

#endif

/*
 * dispatch.h: tasks and jobs for any driver, and waits for all drivers.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "fleet.h"

void dispatch_open(void);

/* Return the clients that wait for any idle driver, in order of arrival; and those that wait until
 * no driver has a task or job. */
struct list *dispatch_any(void);
struct list *dispatch_all(void);

/* Gives idle drivers to the clients that wait for one, first come, first served. */
void tasks_assign(void);

/* Ends the waits for all drivers, if none has a task or job. */
void waits_end(void);

/* Ends all waits, because the server is stopping. */
void dispatch_stop(void);

#endif

/*
 * dispatch.h: tasks and jobs for any driver, and waits for all drivers.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "fleet.h"

void dispatch_open(void);

/* Lists of clients. */
struct list *dispatch_any(void); /* those that wait for any idle driver, in order of arrival */
struct list *dispatch_all(void); /* those that wait until no driver has a task or job */

/* Gives idle drivers to the clients that wait for one, first come, first served. */
void tasks_assign(void);

/* Ends the waits for all drivers, if none has a task or job. */
void waits_end(void);

/* Ends all waits, because the server is stopping. */
void dispatch_stop(void);

#endif

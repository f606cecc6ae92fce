/*
 * dispatch.h: who gets which driver: tasks and jobs for any driver, and waits for all of them.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "fleet.h"

void dispatch_open(void);

/* Clients that wait for an idle driver, in order of arrival; and until no driver has a task. */
struct list *dispatch_any(void);
struct list *dispatch_all(void);

/* Gives idle drivers to those that wait for any, first come, first served. */
void tasks_assign(void);

/* Ends the waits for all drivers, if none has a task. */
void waits_end(void);

/* Ends all waits: the server stops. */
void dispatch_stop(void);

#endif

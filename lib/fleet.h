/*
 * fleet.h: all drivers: their table, their states, and what waits for each.
 *
 * A driver that is READY is listed: commands can name it. A driver stays in the fleet until it is
 * reaped and everything that it said has been read.
 */
#ifndef FLEET_H
#define FLEET_H

#include "driver.h"

enum {
    /* Calls that may wait for a driver's socket. A client that asks it more is held back. */
    DRIVER_QUEUE_MAX = 512,
};

bool fleet_open(void); /* returns false if there is no memory */
void fleet_close(void);

void driver_init(struct driver *); /* its lists and deadlines */

/* drivers_free_dropped() frees the removed drivers, but those that may have left orphans only if
 * all is set. */
void fleet_add(struct driver *);    /* it was just started */
void fleet_remove(struct driver *); /* it was reaped */
void drivers_free_dropped(bool all);

/* The only way from a pid to a driver. Returns NULL if no driver in the fleet has that pid. */
struct driver *driver_find(pid_t);

/* Returns the next driver in order of creation, the first after NULL, or NULL at the end. */
struct driver *fleet_next(const struct driver *);

unsigned fleet_count(enum driver_state);
unsigned fleet_engaged(void);       /* READY drivers with a task or job, even if only queued */
unsigned fleet_kept_starting(void); /* kept drivers that have not said HELLO */

/* Whether we have children that are neither drivers nor left by one. */
void fleet_note_siblings(void);
bool fleet_has_siblings(void);

struct driver *fleet_idle(void);   /* the driver that has been Available longest, or NULL */
struct driver *fleet_unsent(void); /* a driver that may have something to send, or NULL */
struct list *fleet_dropped(void);  /* drivers that are reaped, but not freed yet */
struct list *fleet_doomed(void);   /* drivers that are killed or closed, but not reaped yet */
struct list *fleet_ended(void);    /* those that are closed; NULL if no look is scheduled */
void fleet_look_at_ended(void);    /* schedules one */

void driver_keep(struct driver *);    /* it will be replaced when it dies */
bool driver_greet(struct driver *);   /* it has said HELLO; returns false if it is STOPPING */
void driver_dismiss(struct driver *); /* it will be sent EXIT, after the queued calls */
void driver_unlist(struct driver *);  /* it must end before DEADLINE_EXIT */
void driver_close(struct driver *);   /* closes its socket */
void driver_kill(struct driver *);    /* does nothing once it is reaped */

/* Kills a driver that misbehaves, and logs the message as the reason. */
__attribute__((format(printf, 2, 3))) void driver_condemn(struct driver *, const char *format, ...);

/* Must be called when its state, task or calls have changed: updates counts and the list of idle
 * drivers, and ends the waits for the driver if it has no task or job. */
void driver_changed(struct driver *);

void driver_send_later(struct driver *); /* at the end of the turn: what waits for it */
void driver_release(struct driver *);    /* schedules the clients that wait for room in its queue */

/* Set the call's driver; driver_call() also queues the call for the driver. */
void call_set_driver(struct call *, struct driver *);
void driver_call(struct driver *, struct call *);

/* The driver has answered, or never will: the call ends; or goes on until the driver's job ends. */
void driver_call_end(struct driver *, struct call *, enum outcome);
void driver_call_goes_on(struct driver *, struct call *);
void driver_call_leave(struct driver *, struct call *); /* the caller ends it otherwise */

/* The driver has begun the task of a call, or has none any more: for its giver's count. */
void driver_task_begin(struct driver *, const struct call *);
void driver_task_over(struct driver *);

#endif

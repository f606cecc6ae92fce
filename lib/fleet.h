/*
 * fleet.h: the drivers there are: a table of them, their states, and what waits for each.
 *
 * A driver is listed, so that commands can name it, while it is READY. It lives until it is reaped
 * and what it said last has been read.
 */
#ifndef FLEET_H
#define FLEET_H

#include "driver.h"

enum {
    START_TIMEOUT_S = 5, /* for a driver to say HELLO */
    /* Calls that may wait for a driver's socket: as many as are sent at a time. Full: the client
     * that wants the driver is held back until there is room. */
    DRIVER_QUEUE_MAX = 512,
};

bool fleet_open(void); /* false: there is no memory */
void fleet_close(void);

/* Initializes a driver's lists. */
void driver_init(struct driver *);

/* Adds a driver that was just started, and so is STARTING; takes out one that was reaped. That is
 * freed by drivers_free_dropped(), but only if all is set as long as it may have left orphans. */
void fleet_add(struct driver *);
void fleet_remove(struct driver *);
void drivers_free_dropped(bool all);

/* The one way from a pid to a driver. Returns NULL if no driver that is not reaped has it. */
struct driver *driver_find(pid_t);

/* The driver after that one in order of creation, the first after NULL; NULL at the end. */
struct driver *fleet_next(const struct driver *);

unsigned fleet_count(enum driver_state);
unsigned fleet_engaged(void);       /* READY drivers that have a task, or one queued */
unsigned fleet_kept_starting(void); /* kept drivers that have not said HELLO */

struct driver *fleet_idle(void);   /* the one that has been Available longest, or NULL */
struct driver *fleet_unsent(void); /* one that may have something to send, or NULL */
struct list *fleet_dropped(void);  /* drivers that were reaped and are not freed yet */

/* Drivers whose socket has ended and that are not reaped: are looked at in this turn; NULL if there
 * is no reason to. */
void fleet_look_at_ended(void);
struct list *fleet_ended(void);

/* Changes of a driver's life. */
void driver_keep(struct driver *);    /* it is replaced when it dies */
bool driver_greet(struct driver *);   /* it has said HELLO; false: it was told to exit before */
void driver_dismiss(struct driver *); /* tells it to exit, after all that it was asked before */
void driver_unlist(struct driver *);  /* DEADLINE_EXIT makes sure that it ends */
void driver_close(struct driver *);   /* nothing more is sent to it or read from it */
void driver_kill(struct driver *);    /* does nothing once it was reaped */

/* Kills a driver that does what it must not do, and logs the message as the reason. Its end comes
 * as any other. */
__attribute__((format(printf, 2, 3))) void driver_condemn(struct driver *, const char *format, ...);

/* Its state or its task has changed: keeps the counts, and goes on with what waits for it. */
void driver_changed(struct driver *);

/* Schedules a driver to be sent what waits for it, at the end of this turn. */
void driver_send_later(struct driver *);

/* The clients that were held back for room in its queue look again. */
void driver_release(struct driver *);

/* Makes a call one about this driver; queues it for the driver, too. */
void call_set_driver(struct call *, struct driver *);
void driver_call(struct driver *, struct call *);

/* A call that the driver had has its outcome; or is answered, and ends with the driver's job. */
void driver_call_end(struct driver *, struct call *, enum outcome);
void driver_call_goes_on(struct driver *, struct call *);

#endif

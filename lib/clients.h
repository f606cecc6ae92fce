/*
 * clients.h: the clients there are, which of them have something to do, and how much each may be
 * owed.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "client.h"

/* The console. */
extern struct client console;

void clients_open(void);
void clients_close(void);

/* Returns a new connection without streams, or NULL with errno if there is no memory. */
struct client *client_new(const struct format *);

/* Drops a connection whose socket is closed; it is freed by clients_free_dropped(). */
void client_drop(struct client *);
void clients_free_dropped(void);

/* The first connection, or NULL; and how many there are. */
struct client *client_first(void);
unsigned clients_count(void);

/* Marks a client's output as GONE; and how many are. */
void client_mark_gone(struct client *);
unsigned clients_gone(void);

/* Schedules a client, or all of them, for a turn. */
void client_wake(struct client *);
void clients_wake(void);

/* The clients that are scheduled. */
struct list *clients_runnable(void);

/* There is no memory for what the client would do next: it is scheduled again by clients_retry()
 * when some was given back, or a moment later. */
void client_lacks_memory(struct client *);
void clients_retry(void);

/* How much each client may be owed, which depends on how many drivers are ready. */
unsigned client_share(void);
void clients_share(unsigned drivers);

#endif

/*
 * clients.h: all clients, which of them have something to do, and how much each may be owed.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "client.h"

/* Standard input and output, see console.h. */
extern struct client console;

void clients_open(void);
void clients_close(void);

/* Returns a new client for a connection, without streams, or NULL with errno if there is no
 * memory. */
struct client *client_new(const struct format *);

/* The connection does not count any more and gets no more turns. The caller may append its link to
 * a list. */
void client_leave(struct client *);

/* Drops a connection that has left, and whose socket is closed; clients_free_dropped() frees it at
 * the end of the turn. */
void client_drop(struct client *);
void clients_free_dropped(void);

struct client *client_first(void); /* returns the first connection, or NULL */
unsigned clients_count(void);      /* how many connections there are */

void client_mark_gone(struct client *); /* sets its output_state to OUTPUT_GONE */
unsigned clients_gone(void);            /* how many connections are OUTPUT_GONE */

/* Schedule clients for a turn. */
void client_wake(struct client *); /* one client */
void clients_wake(void);           /* all clients */

/* The clients that are scheduled. */
struct list *clients_runnable(void);

/* Notes that there is no memory for what the client must do next. clients_retry() schedules it
 * again when memory has been given back, or a moment later, see memory.h. */
void client_lacks_memory(struct client *);
void clients_retry(void);

/* How much each client may be owed depends on how many drivers are READY. */
unsigned client_share(void);          /* returns it, in lines */
void clients_share(unsigned drivers); /* computes it anew */

#endif

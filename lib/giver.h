/*
 * giver.h: what a client has given that has not ended yet. It outlives the client if the client
 * goes while its tasks run, or while jobs that it has submitted wait or run.
 */
#ifndef GIVER_H
#define GIVER_H

#include "list.h"

struct giver {
    struct list turn;  /* awaiting's turns, while it has calls that wait; the next one first */
    struct list calls; /* its calls that wait for any driver, in the order of the commands */
    bool gone;         /* its client is gone */
    unsigned tasks;    /* tasks that run */
    unsigned jobs;     /* submitted jobs that are not Done */
    unsigned begun;    /* how many of these a driver has or was sent */
};

/* Initializes the one of the console, which is never freed. */
void giver_init(struct giver *);

/* Returns a new one, or NULL with errno if there is no memory. */
struct giver *giver_new(void);

/* Its client is gone, or one of its tasks or jobs has ended: frees it if it is not needed any
 * more. */
void giver_release(struct giver *);

void givers_close(void);

#endif

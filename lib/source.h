/*
 * source.h: the descriptors that the program waits for, and their handlers.
 *
 * There is one epoll set, and one place where the program waits: sources_wait(). A source is
 * embedded in the object that owns it; the handler gets from the source to that object by
 * container_of(). Only source_close() closes a descriptor that is watched.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct source {
    int fd;          /* -1 once it is closed: later events of the turn are then dropped */
    uint32_t events; /* what epoll watches for; 0: the source is not in the set */
    void (*ready)(struct source *, uint32_t events);
};

/* Creates the epoll set. Returns false with errno on failure. */
bool sources_open(void);
void sources_close(void);

/* Whether the epoll set accepts the descriptor. To find that out takes no further descriptor. What
 * it refuses, such as a regular file, is always ready, epoll_ctl(2). */
bool source_pollable(int fd);

/* Sets up a source for fd and watches it; closes fd if that fails. Returns false with errno on
 * failure. fd may be -1, which is such a failure, so the call that opens the descriptor can be the
 * argument. */
bool source_open(struct source *, int fd, void (*ready)(struct source *, uint32_t events),
                 uint32_t events);

/* Watches a source for these events, level-triggered; 0 takes it out of the epoll set. Returns
 * false with errno on failure. */
bool source_watch(struct source *, uint32_t events);

/* Closes the descriptor. The source's own handler may free it at once; anybody else must wait until
 * all handlers of this turn have run, because an event for it may still be on its way. */
void source_close(struct source *);

/* Waits for events (-1: without limit; 0: not at all), calls clock_look(), and then the handlers.
 * Returns false with errno on failure; an interrupted wait is not a failure. */
bool sources_wait(int timeout_ms);

#endif

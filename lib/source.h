/*
 * source.h: the descriptors that the program waits for, and who handles them.
 *
 * There is one epoll set, and one place where the program waits: sources_wait(). A source is
 * embedded in the object that owns it; its handler finds that object by container_of(). Only
 * source_close() closes a descriptor that is watched.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct source {
    int fd;          /* -1 once it is closed: an event that is on its way is then dropped */
    uint32_t events; /* what epoll watches it for; 0: it is not in the set */
    void (*ready)(struct source *, uint32_t events);
};

/* Makes the epoll set. Returns false with errno on failure. */
bool sources_open(void);
void sources_close(void);

/* Makes fd a source and watches it; closes it if that fails. Returns false with errno on failure,
 * also if fd is -1, so that the call that opens the descriptor can be the argument. */
bool source_open(struct source *, int fd, void (*ready)(struct source *, uint32_t events),
                 uint32_t events);

/* Watches a source for these events, level-triggered; 0 takes it out of the set. Returns false with
 * errno on failure. */
bool source_watch(struct source *, uint32_t events);

/* Closes the descriptor. The source may be freed once the handlers of this turn have run. */
void source_close(struct source *);

/* Waits for events, at most that long (-1: without limit; 0: not at all), looks at the clock, and
 * calls the handlers. Returns false with errno on failure; an interruption is none. */
bool sources_wait(int timeout_ms);

#endif

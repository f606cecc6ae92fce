/*
 * stream.h: standard streams, which we share with other processes.
 *
 * We neither block on a stream nor set O_NONBLOCK on it, because the other processes would see that
 * flag, too.
 */
#ifndef STREAM_H
#define STREAM_H

#include "source.h"

#include <sys/types.h>

enum stream_kind {
    STREAM_FILE,   /* a regular file or /dev/null: always ready, and epoll refuses it */
    STREAM_SOCKET, /* used with MSG_DONTWAIT, send(2), recv(2) */
    STREAM_OWN,    /* a pipe or terminal that we have opened anew, nonblocking */
    STREAM_SHARED, /* a pipe or terminal that we cannot open: poll(2), then a little */
};

struct stream {
    struct source source; /* the descriptor that we were given; the caller watches it */
    int fd;               /* the one to read or write: the same, or one of our own */
    enum stream_kind kind;
};

/* Opens /dev/null as each of descriptors 0, 1 and 2 that is closed; otherwise the next file that we
 * open would become a standard stream. Reading 0 and writing 1 still fail, because of the mode;
 * what is written to 2 is lost. Exits if that fails. */
void streams_fill(void);

/* Sets up a stream on fd, after sources_open(); mode is O_RDONLY or O_WRONLY. Returns false with
 * errno if fd cannot be used in that mode; the stream is set up even then, but using it fails. */
bool stream_open(struct stream *, int fd, int mode);

/* Closes our own descriptor, if there is one. The one that we were given stays open. */
void stream_close(struct stream *);

/* The same for good: /dev/null takes the place of the descriptor that we were given, so that we
 * hold no pipe or terminal open, and no other file gets its number. mode is as in stream_open().
 * Does nothing if that has been done before. */
void stream_let_go(struct stream *, int mode);

/* Like read(2) and write(2), but fail with EAGAIN instead of blocking. A write to a STREAM_SHARED
 * moves at most 4096 bytes. */
ssize_t stream_read(struct stream *, void *data, size_t size);
ssize_t stream_write(struct stream *, const void *data, size_t size);

#endif

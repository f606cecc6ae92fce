/*
 * stream.h: standard streams, which we share with whoever started us.
 *
 * A stream is used without blocking on it and without setting O_NONBLOCK, which the others would
 * see.
 */
#ifndef STREAM_H
#define STREAM_H

#include "source.h"

#include <sys/types.h>

enum stream_kind {
    STREAM_FILE,   /* never blocks, and epoll refuses it: a regular file, /dev/null */
    STREAM_SOCKET, /* send(2) and recv(2) with MSG_DONTWAIT */
    STREAM_OWN,    /* a pipe or terminal that we have opened anew for ourselves, nonblocking */
    STREAM_SHARED, /* a pipe or terminal that we may not open: poll(2), then a little at a time */
};

struct stream {
    struct source source; /* the descriptor that we were given; the stream's user watches it */
    int fd;               /* the one to read or write: the same, or our own */
    enum stream_kind kind;
};

/* Sets up a stream on fd, for O_RDONLY or O_WRONLY. Returns false with errno if fd cannot be used
 * so; the stream is set up nevertheless, and using it will fail. */
bool stream_open(struct stream *, int fd, int mode);

/* The descriptor that we were given stays open: it is not ours to close. */
void stream_close(struct stream *);

/* As read(2) and write(2), but never block: EAGAIN. A write to a stream that is shared may move
 * less than a whole buffer. */
ssize_t stream_read(struct stream *, void *data, size_t size);
ssize_t stream_write(struct stream *, const void *data, size_t size);

#endif

#include "stream.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum {
    SHARED_WRITE_MAX = 4096, /* a pipe that poll(2) calls writable takes this much, pipe(7) */
};

void
streams_fill(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
            err(EXIT_FAILURE, "cannot fill descriptor %d", fd);
}

/* Whether opening the descriptor's file anew, through /proc, gives the same pipe or terminal,
 * whatever has become of its path. Opening the master side of a pseudo-terminal would create
 * another terminal, ptmx(4). */
static bool
stream_reopens(int fd, const struct stat *status)
{
    char name[32];

    return S_ISFIFO(status->st_mode) || (isatty(fd) && ptsname_r(fd, name, sizeof(name)) != 0);
}

/* The epoll set gets the descriptor that we were given, not the one that we open. If the last
 * writer of a FIFO has gone before we open it anew, the new descriptor would not report that. */
bool
stream_open(struct stream *stream, int fd, int mode)
{
    struct stat status;
    char path[32];
    int flags = fcntl(fd, F_GETFL);

    *stream = (struct stream){.source.fd = fd, .fd = fd};
    if (flags < 0 || fstat(fd, &status) < 0)
        return false;
    if ((flags & O_ACCMODE) != mode && (flags & O_ACCMODE) != O_RDWR) {
        errno = EBADF;
        return false;
    }
    if (S_ISSOCK(status.st_mode)) {
        stream->kind = STREAM_SOCKET;
    } else if (!source_pollable(fd)) {
        stream->kind = STREAM_FILE;
    } else {
        stream->kind = STREAM_SHARED;
        if (stream_reopens(fd, &status)) {
            snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
            stream->fd = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
            /* After su(1) the terminal may belong to another user, but /dev/tty opens it if it is
             * our controlling terminal: tcgetsid(3) succeeds. */
            if (stream->fd < 0 && tcgetsid(fd) >= 0)
                stream->fd = open("/dev/tty", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        }
        if (stream->fd >= 0 && stream->fd != fd)
            stream->kind = STREAM_OWN;
        else
            stream->fd = fd;
    }
    return true;
}

void
stream_close(struct stream *stream)
{
    source_watch(&stream->source, 0);
    if (stream->fd != stream->source.fd)
        close(stream->fd);
    stream->fd = -1;
}

/* Our own descriptor is closed first, so there is room for one more. If /dev/null cannot be opened
 * even then, standard error, which stays open anyway, takes its place. */
void
stream_let_go(struct stream *stream, int mode)
{
    int given = stream->source.fd;

    if (given < 0)
        return;
    stream_close(stream);
    int null = open("/dev/null", mode | O_CLOEXEC);
    dup2(null >= 0 ? null : STDERR_FILENO, given);
    if (null >= 0)
        close(null);
    stream->source.fd = -1;
}

/* Returns false with EAGAIN if a STREAM_SHARED would block. Returns true for other kinds, because
 * their reads and writes fail with EAGAIN themselves. */
static bool
stream_can(const struct stream *stream, short events)
{
    struct pollfd one = {.fd = stream->fd, .events = events};

    if (stream->kind != STREAM_SHARED || poll(&one, 1, 0) > 0)
        return true;
    errno = EAGAIN;
    return false;
}

ssize_t
stream_read(struct stream *stream, void *data, size_t size)
{
    if (!stream_can(stream, POLLIN))
        return -1;
    if (stream->kind == STREAM_SOCKET)
        return recv(stream->fd, data, size, MSG_DONTWAIT);
    return read(stream->fd, data, size);
}

ssize_t
stream_write(struct stream *stream, const void *data, size_t size)
{
    if (!stream_can(stream, POLLOUT))
        return -1;
    if (stream->kind == STREAM_SOCKET)
        return send(stream->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (stream->kind == STREAM_SHARED && size > SHARED_WRITE_MAX)
        size = SHARED_WRITE_MAX;
    return write(stream->fd, data, size);
}

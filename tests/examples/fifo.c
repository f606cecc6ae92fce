/*
 * fifo.c: copies what comes through a FIFO to standard output. Usage: fifo PATH.
 *
 * Writers come and go; a line on standard error says when the last one has gone. The program waits
 * in one place, the loop in main(). At INT or TERM it copies what is in the FIFO, and exits with 0.
 *
 * When the last writer has closed a FIFO, read(2) returns 0, pipe(7), and epoll reports EPOLLHUP
 * until somebody opens the FIFO for writing: a loop that simply waited again would spin. So we open
 * the FIFO for writing ourselves, which ends the hangup. But as long as we keep it open, no read
 * returns 0. So we close it as soon as there is data, which must come from another writer, before
 * we read. Even if that writer leaves at once, its data stays in the FIFO, and the 0 comes after
 * the data. (Only a writer that leaves without having written may go unnoticed.)
 */
#include "lib/signals.h"
#include "lib/stream.h"
#include "lib/text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fifo_open(const char *path);
static bool writer_open(void);
static void fifo_ready(struct source *source, uint32_t events);
static void output_ready(struct source *source, uint32_t events);
static void signals_ready(struct source *source, uint32_t events);
static void tell(const char *text, const char *reason);
static void fail(const char *text, const char *reason);

static struct source fifo, signals;
static struct stream output, errors; /* others share these: see lib/stream.h */
static char data[64 * 1024];         /* as much as a FIFO holds */
static size_t sent, size; /* in bytes of data; the FIFO is read only when all of it is sent */
static int writer = -1;   /* the FIFO, open for writing, while there is no other writer */
static bool stopping, over;
static int status;

int
main(int argc, char **argv)
{
    sigset_t set;

    if (argc != 2)
        errx(2, "usage: fifo PATH");
    if (!signals_block(&set) || !sources_open() || !signals_open(&signals, &set, signals_ready))
        err(1, "cannot start");
    if (!stream_open(&output, STDOUT_FILENO, O_WRONLY))
        err(1, "cannot write standard output");
    output.source.ready = output_ready;
    stream_open(&errors, STDERR_FILENO, O_WRONLY); /* if this fails, we report nothing */
    fifo_open(argv[1]);
    while (!over) {
        /* When we stop, we do not wait for data, but copy what is there. */
        bool last = stopping && sent == size;
        if (!sources_wait(last ? 0 : -1))
            err(1, "cannot wait");
        if (last && sent == size)
            fifo_ready(&fifo, 0);
    }
    if (sent < size && status == 0)
        fail("data that nobody read was dropped", NULL);
    stream_close(&output);
    stream_close(&errors);
    return status;
}

/* Opens with O_NONBLOCK, because the first writer may come late, fifo(7). */
static void
fifo_open(const char *path)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &file) < 0)
        err(1, "cannot open %s", path);
    if (!S_ISFIFO(file.st_mode))
        errx(1, "%s is not a FIFO", path);
    if (!source_open(&fifo, fd, fifo_ready, EPOLLIN))
        err(1, "cannot watch %s", path);
    if (!writer_open())
        err(1, "cannot open %s for writing", path);
}

/* Opens our FIFO for writing, too, even if its name stands for another file by now, proc(5).
 * Returns false with errno on failure. */
static bool
writer_open(void)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fifo.fd);
    writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return writer >= 0;
}

static void
fifo_ready(struct source *source, uint32_t events)
{
    bool alone = writer >= 0;
    ssize_t n;

    (void)events;
    if (alone)
        close(writer);
    writer = -1;
    n = read(source->fd, data, sizeof(data));
    if (n > 0) {
        sent = 0;
        size = (size_t)n;
        output_ready(&output.source, 0);
    } else if (n < 0 && errno != EAGAIN) {
        fail("cannot read the FIFO", strerror(errno));
    } else {
        if (n == 0 && !alone)
            tell("the last writer has gone", NULL);
        if (stopping)
            over = true;
        else if (n == 0 && !writer_open())
            fail("cannot open the FIFO for writing", strerror(errno));
    }
}

/* Writes as much as possible. Then we wait for room in the output if anything is left, and
 * otherwise for the FIFO. */
static void
output_ready(struct source *source, uint32_t events)
{
    ssize_t n = 0;

    (void)events;
    while (sent < size && (n = stream_write(&output, data + sent, size - sent)) >= 0)
        sent += (size_t)n;
    if ((n < 0 && errno != EAGAIN) || !source_watch(source, sent < size ? EPOLLOUT : 0) ||
        !source_watch(&fifo, sent < size ? 0 : EPOLLIN))
        fail("cannot write standard output", strerror(errno));
}

/* INT or TERM stops us. The reader of our output has until the alarm, a second later, or until
 * another signal, to read the rest. */
static void
signals_ready(struct source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    while (signals_read(source, &info, 1) > 0)
        switch (info.ssi_signo) {
        case SIGTSTP: /* Ctrl+Z: the signal is blocked, so it does not stop us by itself */
            raise(SIGSTOP);
            break;
        case SIGINT:
        case SIGTERM:
        case SIGALRM:
            over = stopping;
            stopping = true;
            alarm(1);
            break;
        default: /* the others mean nothing here */
            break;
        }
}

/* Writes a line to standard error, unless it would have to wait. The reason may be NULL. */
static void
tell(const char *text, const char *reason)
{
    char line[256];
    size_t length = text_append(line, 0, sizeof(line), "fifo: ");

    length = text_append(line, length, sizeof(line), text);
    if (reason != NULL) {
        length = text_append(line, length, sizeof(line), ": ");
        length = text_append(line, length, sizeof(line), reason);
    }
    stream_write(&errors, line, text_append(line, length, sizeof(line), "\n"));
}

static void
fail(const char *text, const char *reason)
{
    tell(text, reason);
    status = 1;
    over = true;
}

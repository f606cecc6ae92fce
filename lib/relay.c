#include "relay.h"

#include "clients.h"
#include "clock.h"
#include "deadline.h"
#include "log.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    COPY_SIZE = 4096,     /* at least PIPE_BUF */
    COPIES_PER_TURN = 16, /* 64 KiB, a full pipe: what a job wrote is shown before its reply */
    QUIET_MS = 100,       /* a line that is written in pieces needs less */
};

static struct {
    struct source pipe;     /* the end that we read */
    int fd;                 /* the other end; because we keep it open, the pipe never ends */
    struct source terminal; /* standard error; watched if it takes no more, and then pipe is not */
    struct deadline quiet;  /* DEADLINE_QUIET, since the last copy */
    char data[COPY_SIZE];   /* what was read; from start to end it is not written yet */
    size_t start, end;
} relay = {.pipe.fd = -1, .fd = STDERR_FILENO};

/* Writes what was read. Returns false if the terminal takes no more now. If the terminal takes
 * nothing at all, for example because it was hung up, what was read is dropped. */
static bool
relay_write(void)
{
    while (relay.start < relay.end) {
        ssize_t n = log_copy(relay.data + relay.start, relay.end - relay.start);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        relay.start = n < 0 ? relay.end : relay.start + (size_t)n;
        deadline_start(&relay.quiet, DEADLINE_QUIET);
    }
    return true;
}

/* Copies until the pipe is empty, the terminal takes no more, or the turn is over. Returns true if
 * the pipe was empty. */
static bool
relay_copy(void)
{
    for (int i = 0; relay_write() && i < COPIES_PER_TURN; i++) {
        ssize_t n = read(relay.pipe.fd, relay.data, sizeof(relay.data));
        if (n <= 0)
            return true;
        relay.start = 0;
        relay.end = (size_t)n;
    }
    return false;
}

/*
 * A terminal that takes no more holds back the writers of the pipe, as it would if they had the
 * terminal itself: nothing is dropped, the rest stays in relay.data and in the pipe, and we wait
 * for the terminal. If what we wait for cannot be watched, the other source stays in the epoll set,
 * and the next turn tries again.
 */
static bool
relay_go_on(void)
{
    bool empty = relay_copy(), waits = relay.start < relay.end;

    if (source_watch(waits ? &relay.terminal : &relay.pipe, waits ? EPOLLOUT : EPOLLIN))
        source_watch(waits ? &relay.pipe : &relay.terminal, 0);
    return empty;
}

static void
relay_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    relay_go_on();
}

/* Only our end of the pipe does not block: jobs expect a standard error that does. */
void
relay_open(void)
{
    int ends[2];

    deadline_init(&relay.quiet);
    deadline_set(DEADLINE_QUIET, QUIET_MS * NS_PER_MS);
    if (!isatty(STDERR_FILENO))
        return;
    if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ||
        !source_open(&relay.pipe, ends[0], relay_ready, EPOLLIN))
        err(EXIT_FAILURE, "cannot make a pipe for standard error");
    relay.fd = ends[1];
    relay.terminal = (struct source){.fd = STDERR_FILENO, .ready = relay_ready};
}

void
relay_close(void)
{
    if (relay.pipe.fd < 0)
        return;
    source_watch(&relay.terminal, 0);
    source_close(&relay.pipe);
    close(relay.fd);
}

int
relay_fd(void)
{
    return relay.fd;
}

bool
relay_is_active(void)
{
    return deadline_is_set(&relay.quiet) || relay.start < relay.end;
}

void
relay_quiet(void)
{
    deadline_stop(&relay.quiet);
    client_wake(&console);
}

bool
relay_drain(void)
{
    return relay.pipe.fd < 0 || relay_go_on();
}

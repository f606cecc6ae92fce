/*
 * bare-trip TRIPS: how often per second a question can go from one process through a second one to
 * a third, and the answer back, if none of them does anything else: pipe, socketpair, socketpair,
 * pipe, with plain blocking read and write. The messages have the sizes of a get_status. The second figure
 * is the milliseconds within which 99 of 100 trips end.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sizes in bytes. */
enum {
    COMMAND = sizeof("get_status 12345\n") - 1,
    REQUEST = 8, /* struct proto_header */
    STATE = 24,  /* the same, and struct proto_state */
    REPLY = sizeof("Driver 12345 Available\n") - 1,
};

/* A short message arrives as a whole; anything else is the end. */
static int
get(int fd, size_t size)
{
    char message[64];

    return read(fd, message, size) == (ssize_t)size;
}

static int
put(int fd, size_t size)
{
    static const char message[64];

    return write(fd, message, size) == (ssize_t)size;
}

/* Starts a process. Returns 0 in the new process. */
static pid_t
process(void)
{
    pid_t pid = fork();

    if (pid < 0)
        err(1, "fork");
    return pid;
}

int
main(int argc, char **argv)
{
    int in[2], out[2], pair[2];

    if (argc != 2)
        errx(2, "usage: bare-trip TRIPS");
    long trips = argument(argv[1], 100000000);
    if (pipe(in) < 0 || pipe(out) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        err(1, "pipe, socketpair");
    if (process() == 0) { /* the driver */
        close(pair[0]);
        close(in[1]);
        while (get(pair[1], REQUEST) && put(pair[1], STATE))
            ;
        _exit(0);
    }
    close(pair[1]);
    if (process() == 0) { /* the server */
        close(in[1]);
        while (get(in[0], COMMAND) && put(pair[0], REQUEST) && get(pair[0], STATE) &&
               put(out[1], REPLY))
            ;
        _exit(0);
    }
    close(pair[0]);
    close(out[1]);
    int64_t *trip_ns = calloc((size_t)trips, sizeof(*trip_ns));
    if (trip_ns == NULL)
        err(1, "calloc");
    int64_t start_ns = 0, before_ns = 0;
    for (long i = -trips / 10; i < trips; i++) { /* some more first, to warm up */
        if (i == 0)
            start_ns = before_ns = clock_ns(CLOCK_MONOTONIC);
        if (!put(in[1], COMMAND) || !get(out[0], REPLY))
            errx(1, "a trip had no end");
        if (i < 0)
            continue;
        int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        trip_ns[i] = now_ns - before_ns;
        before_ns = now_ns;
    }
    printf("%.0f ", (double)trips * 1e9 / (double)(before_ns - start_ns));
    median(trip_ns, (size_t)trips);
    printf("%.3f\n", (double)trip_ns[trips * 99 / 100] / 1e6);
    free(trip_ns);
    close(in[1]);
    while (wait(NULL) > 0)
        ;
    return 0;
}

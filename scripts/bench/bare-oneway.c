/*
 * bare-oneway MESSAGES: how many messages of 16 bytes per second go from one process to another
 * through a socketpair, with one write and one read for each.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    int pair[2], status;
    char message[16] = "";

    if (argc != 2)
        errx(2, "usage: bare-oneway MESSAGES");
    long messages = argument(argv[1], 1000000000);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        err(1, "socketpair");
    pid_t reader = fork();
    if (reader < 0)
        err(1, "fork");
    if (reader == 0) {
        close(pair[0]);
        for (long i = 0; i < messages; i++)
            if (read(pair[1], message, sizeof(message)) != (ssize_t)sizeof(message))
                _exit(1);
        _exit(0);
    }
    close(pair[1]);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < messages; i++)
        if (write(pair[0], message, sizeof(message)) != (ssize_t)sizeof(message))
            err(1, "write");
    if (waitpid(reader, &status, 0) < 0 || status != 0)
        errx(1, "not all was read");
    printf("%.0f\n", rate_since(messages, start_ns));
    return 0;
}

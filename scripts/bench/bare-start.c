/*
 * bare-start COUNT PROGRAM: how many processes per second can be started one after another, if each is
 * waited for until its first message, on a socket that it has as descriptor 3. The end of the socket is
 * the end of the process.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    int pair[2];
    char message[64];

    if (argc != 3)
        errx(2, "usage: bare-start COUNT PROGRAM");
    long count = argument(argv[1], 1000000);
    char *program[] = {argv[2], NULL}, *environment[] = {NULL};
    int64_t spent_ns = 0;
    for (long i = 0; i < count; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            err(1, "socketpair");
        int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
        pid_t pid = vfork();
        if (pid == 0) {
            if (dup2(pair[1], 3) == 3)
                execve(argv[2], program, environment);
            _exit(127);
        }
        close(pair[1]);
        if (pid < 0 || read(pair[0], message, sizeof(message)) <= 0)
            errx(1, "%s says nothing", argv[2]);
        spent_ns += clock_ns(CLOCK_MONOTONIC) - start_ns;
        close(pair[0]);
        waitpid(pid, NULL, 0);
    }
    printf("%.0f\n", (double)count * 1e9 / (double)spent_ns);
    return 0;
}

/*
 * bare-run COUNT PROGRAM: how many times per second a program can be run, one after another, with
 * vfork, exec and wait.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    int status;

    if (argc != 3)
        errx(2, "usage: bare-run COUNT PROGRAM");
    long count = argument(argv[1], 1000000);
    char *program[] = {argv[2], NULL};
    char *environment[] = {NULL};
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execve(argv[2], program, environment);
            _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            errx(1, "cannot run %s", argv[2]);
    }
    printf("%.0f\n", rate_since(count, start_ns));
    return 0;
}

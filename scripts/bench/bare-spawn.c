/*
 * bare-spawn COUNT PROGRAM [hold]: how many processes per second can be started with vfork and
 * exec, if COUNT of them are alive at once. With hold, their pids follow on the same line, and they
 * live until standard input ends; otherwise they are ended at once.
 */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void
all_end(const pid_t *pids, long count)
{
    for (long i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    for (long i = 0; i < count; i++)
        waitpid(pids[i], NULL, 0);
}

int
main(int argc, char **argv)
{
    sigset_t all;
    char byte;

    if (argc < 3)
        errx(2, "usage: bare-spawn COUNT PROGRAM [hold]");
    long count = argument(argv[1], 100000);
    char *program[] = {argv[2], NULL};
    char *environment[] = {NULL};
    pid_t *pids = calloc((size_t)count, sizeof(*pids));
    if (pids == NULL)
        err(1, "calloc");
    /* No signal may end this program before its children; it ends by itself in bounded time. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) {
        pids[i] = vfork();
        if (pids[i] == 0) {
            execve(argv[2], program, environment);
            _exit(127);
        }
        if (pids[i] < 0) {
            warn("vfork");
            all_end(pids, i);
            return 1;
        }
    }
    printf("%.0f", rate_since(count, start_ns));
    if (argc > 3) {
        for (long i = 0; i < count; i++)
            printf(" %d", pids[i]);
        printf("\n");
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    } else {
        printf("\n");
    }
    all_end(pids, count);
    free(pids);
    return 0;
}

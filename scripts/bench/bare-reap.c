/*
 * bare-reap COUNT KILLED PROGRAM: milliseconds of CPU time that it takes to reap a child, if there are
 * COUNT of them, by a wait for any: the median of KILLED deaths; and to reap all, when all have died.
 */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *program[2];

static pid_t
start(void)
{
    static char *environment[] = {NULL};
    pid_t pid = vfork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* if we fail, nobody else ends it */
        execve(program[0], program, environment);
        _exit(127);
    }
    if (pid < 0)
        err(1, "vfork");
    return pid;
}

/* Waits until the child is dead, without reaping it. */
static void
kill_and_wait(pid_t pid)
{
    siginfo_t info;

    kill(pid, SIGKILL);
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
        err(1, "waitid");
}

/* Reaps that many. Returns the nanoseconds of CPU time. */
static int64_t
reap(long count)
{
    int64_t start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    for (long i = 0; i < count; i++)
        if (waitpid(-1, NULL, WNOHANG) <= 0)
            errx(1, "nobody is dead");
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns;
}

int
main(int argc, char **argv)
{
    if (argc != 4)
        errx(2, "usage: bare-reap COUNT KILLED PROGRAM");
    long count = argument(argv[1], 100000), killed = argument(argv[2], 10000);
    program[0] = argv[3];
    pid_t *pids = calloc((size_t)count, sizeof(*pids));
    int64_t *each_ns = calloc((size_t)killed, sizeof(*each_ns));
    if (pids == NULL || each_ns == NULL)
        err(1, "calloc");
    for (long i = 0; i < count; i++)
        pids[i] = start();
    for (long i = 0; i < killed; i++) {
        pid_t *pid = &pids[i * 7919 % count]; /* spread over all, as load does */
        kill_and_wait(*pid);
        each_ns[i] = reap(1);
        *pid = start();
    }
    for (long i = 0; i < count; i++)
        kill_and_wait(pids[i]);
    printf("%.4f %.1f\n", (double)median(each_ns, (size_t)killed) / 1e6, (double)reap(count) / 1e6);
    free(pids);
    free(each_ns);
    return 0;
}

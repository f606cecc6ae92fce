/*
 * bare-run LOOPS COUNT PROGRAM: how many times per second a program can be run with vfork, exec and
 * wait, by LOOPS processes side by side that each do nothing else and run it COUNT times; and microseconds
 * of CPU time of these processes for each.
 */
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Runs the program to its end. Returns whether it ended with status 0. */
static bool
run(char *path)
{
    char *program[] = {path, NULL};
    int status;

    pid_t pid = vfork();
    if (pid == 0) {
        execve(path, program, environ);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int
main(int argc, char **argv)
{
    int status;

    if (argc != 4)
        errx(2, "usage: bare-run LOOPS COUNT PROGRAM");
    long loops = argument(argv[1], 1000), count = argument(argv[2], 1000000);
    int64_t *cpu_ns = mmap(NULL, (size_t)loops * sizeof(*cpu_ns), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (cpu_ns == MAP_FAILED)
        err(1, "mmap");
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC), sum_ns = 0;
    for (long i = 0; i < loops; i++) {
        pid_t pid = fork();
        if (pid < 0)
            err(1, "cannot fork");
        if (pid > 0)
            continue;
        for (long j = 0; j < count; j++)
            if (!run(argv[3]))
                errx(1, "cannot run %s", argv[3]);
        cpu_ns[i] = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        _exit(0);
    }
    for (long i = 0; i < loops; i++)
        if (wait(&status) < 0 || status != 0)
            errx(1, "a loop has failed");
    printf("%.0f ", rate_since(loops * count, start_ns));
    for (long i = 0; i < loops; i++)
        sum_ns += cpu_ns[i];
    printf("%.1f\n", (double)sum_ns / 1e3 / (double)(loops * count));
    return 0;
}

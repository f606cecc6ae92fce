/* load-counts.c: counts the system calls and allocations for pipelined questions. */
#include "load.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HELD_UP_MS = 200, /* well below the reply timeout */
};

/* Starts strace(1), which counts the system calls of a process from then on. Returns the pid of
 * strace. */
static pid_t
strace_start(pid_t pid, const char *path)
{
    char pid_text[16], line[LINE_SIZE];
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_MS * NS_PER_MS;
    int tracer = 0;

    snprintf(pid_text, sizeof(pid_text), "%d", pid);
    pid_t strace = fork();
    if (strace < 0)
        err(1, "fork");
    if (strace == 0) {
        execlp("strace", "strace", "-qq", "-c", "-o", path, "-p", pid_text, NULL);
        err(1, "strace");
    }
    snprintf(line, sizeof(line), "/proc/%d/status", pid);
    while (tracer == 0) { /* there is no event when strace has attached itself */
        FILE *file = fopen(line, "re");
        char text[LINE_SIZE];
        while (file != NULL && fgets(text, sizeof(text), file) != NULL)
            sscanf(text, "TracerPid: %d", &tracer);
        if (file != NULL)
            fclose(file);
        if (clock_ns(CLOCK_MONOTONIC) > end_ns || waitpid(strace, NULL, WNOHANG) != 0)
            errx(1, "strace does not trace");
        pause_ms(1);
    }
    return strace;
}

/* Ends strace. Returns the number of calls, which is the fourth word of the line with the total. */
static long
strace_end(pid_t strace, const char *path)
{
    char line[LINE_SIZE];
    long calls = -1;

    kill(strace, SIGINT);
    waitpid(strace, NULL, 0);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        err(1, "%s", path);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strstr(line, " total") != NULL)
            sscanf(line, "%*s %*s %*s %ld", &calls);
    fclose(file);
    unlink(path);
    if (calls < 0)
        errx(1, "strace has counted nothing");
    return calls;
}

/* Tracing slows down each system call, so each call finds more to do than without. That does not
 * matter, because the count should be far below its limit. */
void
run_calls(char **args)
{
    long count = argument(args[0], COUNT_MAX);
    char paths[2][64];

    server_start_plain();
    create(1);
    ask_pipelined(count / 10 + 1);
    server_quiet();
    for (int i = 0; i < 2; i++)
        snprintf(paths[i], sizeof(paths[i]), "build/bench/calls.%d.%d", i, getpid());
    pid_t of_server = strace_start(server.pid, paths[0]);
    pid_t of_driver = strace_start(server.drivers[0], paths[1]);
    ask_pipelined(count);
    double calls = (double)strace_end(of_server, paths[0]);
    printf("%.4f ", calls / (double)count);
    calls = (double)strace_end(of_driver, paths[1]);
    printf("%.4f\n", calls / (double)count);
    server_end();
}

static bool
ends_with(const char *line, const char *end)
{
    size_t size = strlen(line), end_size = strlen(end);

    return size >= end_size && strcmp(line + size - end_size, end) == 0;
}

/* Does what clients usually do with drivers. */
static void
life(long count)
{
    char command[LINE_SIZE];

    ask_pipelined(count / server.drivers_count + 1);
    for (int i = 0; i < 100; i++) {
        pid_t driver = server.drivers[i % server.drivers_count];
        say("get_drivers\n");
        for (long j = 0; j < server.drivers_count; j++)
            reply();
        reply_count(server.drivers_count);
        snprintf(command, sizeof(command), "send_task %d 9\ncancel_task %d\nfly\nstats\nhelp\n",
                 driver, driver);
        say(command);
        while (!ends_with(reply(), " commands")) /* the last line of the help */
            ;
    }
}

/* Asks while all drivers are stopped for a moment, so that the server holds as many commands as it
 * ever does. */
static void
ask_held_up(long count)
{
    for (long i = 0; i < server.drivers_count; i++)
        kill(server.drivers[i], SIGSTOP);
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (child == 0) {
        pause_ms(HELD_UP_MS);
        for (long i = 0; i < server.drivers_count; i++)
            kill(server.drivers[i], SIGCONT);
        _exit(0);
    }
    ask_pipelined(count / server.drivers_count + 1);
    waitpid(child, NULL, 0);
}

void
run_allocs(char **args)
{
    long count = argument(args[0], COUNT_MAX);
    char *argv[] = {"./server", NULL};
    char path[64];

    snprintf(path, sizeof(path), "build/bench/allocs.%d", getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)sizeof(uint64_t)) < 0)
        err(1, "%s", path);
    volatile uint64_t *allocs =
        mmap(NULL, sizeof(*allocs), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (allocs == MAP_FAILED || setenv("ALLOCS", path, 1) < 0 ||
        setenv("LD_PRELOAD", args[1], 1) < 0)
        err(1, "start");
    server_start(argv, -1);
    create(10);
    unlink(path);
    if (*allocs == 0)
        errx(1, "nothing is counted: is the server linked statically?");
    ask_held_up(count);
    life(count);
    server_quiet();
    uint64_t before = *allocs;
    life(count);
    server_quiet();
    printf("%llu\n", (unsigned long long)(*allocs - before));
    server_end();
}

/* load-queue.c: measures jobs that wait in the queue. */
#include "load.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SUBMIT "submit 60 /bin/true\n"

/* Starts a server that listens, in which no job begins, with that many drivers. From then on, its
 * input and output are a connection to its control socket. */
static void
server_start_queue(long drivers)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *argv[] = {server.program, "--listen", address.sun_path, NULL};

    snprintf(address.sun_path, sizeof(address.sun_path), "build/bench/queue.%d", getpid());
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (log < 0 || client < 0)
        err(1, "start");
    server_start(argv, log); /* at its end, it tells how many jobs did not run */
    close(log);
    say("pause\n");
    if (strcmp(reply(), "Paused") != 0)
        errx(1, "the server does not pause");
    if (drivers > 0)
        create(drivers);
    if (connect(client, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fcntl(client, F_SETFL, O_NONBLOCK) < 0)
        err(1, "%s", address.sun_path);
    close(server.in);
    close(server.out);
    server.in = server.out = client;
}

/* Checks a line that says that this job waits; end is what follows its number. */
static void
job_check(const char *line, long number, const char *end)
{
    char *rest = NULL;

    if (strncmp(line, "Job ", 4) != 0 || strtol(line + 4, &rest, 10) != number ||
        strcmp(rest, end) != 0)
        errx(1, "unexpected reply '%s'", line);
}

/* Submits that many jobs, as many at once as the socket holds. */
static void
submit_pipelined(long count)
{
    static char block[BLOCK_SIZE / (sizeof(SUBMIT) - 1) * (sizeof(SUBMIT) - 1)];
    size_t written = 0, to_write = (size_t)count * (sizeof(SUBMIT) - 1);
    long done = 0;

    for (size_t at = 0; at < sizeof(block); at += sizeof(SUBMIT) - 1)
        memcpy(block + at, SUBMIT, sizeof(SUBMIT) - 1);
    while (done < count) {
        struct pollfd end = {.fd = server.in,
                             .events = (short)(POLLIN | (written < to_write ? POLLOUT : 0))};
        if (poll(&end, 1, PATIENCE_MS) < 1)
            errx(1, "no reply in %d s", PATIENCE_MS / 1000);
        if (end.revents & POLLOUT) {
            size_t from = written % sizeof(block), size = sizeof(block) - from;
            ssize_t n = write(server.in, block + from,
                              size < to_write - written ? size : to_write - written);
            if (n < 0 && errno != EAGAIN)
                err(1, "write");
            written += n > 0 ? (size_t)n : 0;
        }
        output_read();
        for (const char *line; (line = line_next()) != NULL;)
            job_check(line, ++done, " Waiting");
    }
}

/* Returns a size in KiB from the server's status, proc(5). */
static long
server_status_kib(const char *field)
{
    char path[64], line[LINE_SIZE];
    long kib = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", server.pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        err(1, "%s", path);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field), NULL, 10);
    fclose(file);
    if (kib < 0)
        errx(1, "no %s in %s", field, path);
    return kib;
}

void
run_queue(char **args)
{
    long drivers = strcmp(args[0], "0") == 0 ? 0 : argument(args[0], DRIVERS_MAX);
    long count = argument(args[1], COUNT_MAX);

    server_start_queue(drivers);
    server_quiet();
    long before_kib = server_status_kib("VmRSS:");
    int64_t before_ns = usage_of(server.pid).cpu_ns, start_ns = clock_ns(CLOCK_MONOTONIC);
    submit_pipelined(count);
    double rate = rate_since(count, start_ns);
    server_quiet();
    double cpu_ms = (double)(usage_of(server.pid).cpu_ns - before_ns) / 1e6;
    start_ns = clock_ns(CLOCK_MONOTONIC);
    say("get_jobs\n");
    for (long i = 1; i <= count; i++)
        job_check(reply(), i, " Waiting /bin/true");
    if (strtol(reply(), NULL, 10) != count)
        errx(1, "get_jobs has another count");
    double list_s = (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    printf("%.0f %.3f %.1f %.1f\n", rate, list_s,
           (double)(server_status_kib("VmHWM:") - before_kib) / 1024, cpu_ms);
    say("shutdown\n");
    server_wait();
    close(server.in);
}

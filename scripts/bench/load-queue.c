/* load-queue.c: measures jobs that wait in the queue. */
#include "load.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SUBMIT "submit 60 /bin/true"

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

/* Gives the command count times, with the numbers of jobs from first on if it is about a job, as many at
 * once as the socket holds. Each reply is that of a job: end is what follows its number. Returns the
 * microseconds that a command took. */
static double
give_pipelined(const char *command, bool numbered, long first, long count, const char *end)
{
    char *text = malloc((size_t)count * LINE_SIZE), *at = text;
    size_t written = 0;
    long done = 0;

    if (text == NULL)
        err(1, "malloc");
    for (long i = 0; i < count; i++)
        at += numbered ? snprintf(at, LINE_SIZE, "%s %ld\n", command, first + i)
                       : snprintf(at, LINE_SIZE, "%s\n", command);
    const size_t to_write = (size_t)(at - text);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    while (done < count) {
        struct pollfd socket = {.fd = server.in,
                                .events = (short)(POLLIN | (written < to_write ? POLLOUT : 0))};
        if (poll(&socket, 1, PATIENCE_MS) < 1)
            errx(1, "no reply in %d s", PATIENCE_MS / 1000);
        if (socket.revents & POLLOUT) {
            size_t size = to_write - written < BLOCK_SIZE ? to_write - written : BLOCK_SIZE;
            ssize_t n = write(server.in, text + written, size);
            if (n < 0 && errno != EAGAIN)
                err(1, "write");
            written += n > 0 ? (size_t)n : 0;
        }
        output_read();
        for (const char *line; (line = line_next()) != NULL; done++)
            job_check(line, first + done, end);
    }
    free(text);
    return (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e3 / (double)count;
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
    int64_t before_ns = usage_of(server.pid).cpu_ns;
    double rate = 1e6 / give_pipelined(SUBMIT, false, 1, count, " Waiting");
    server_quiet();
    double cpu_ms = (double)(usage_of(server.pid).cpu_ns - before_ns) / 1e6;
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
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

void
run_waiting(char **args)
{
    long count = argument(args[0], COUNT_MAX), jobs = argument(args[1], COUNT_MAX);
    char command[LINE_SIZE];

    server_start_queue(2);
    give_pipelined(SUBMIT, false, 1, count, " Waiting");
    server_quiet();
    printf("%.3f ", give_pipelined(SUBMIT, false, count + 1, jobs, " Waiting"));
    printf("%.3f ", give_pipelined("cancel_job", true, count + 1, jobs, " Done cancelled"));
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    snprintf(command, sizeof(command), "resume\nwait_job %ld\n", count < jobs ? count : jobs);
    say(command);
    if (strcmp(reply(), "Resumed") != 0 || strstr(reply(), " Done exit 0") == NULL)
        errx(1, "the jobs do not run");
    printf("%.1f\n", (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e3 /
                         (double)(count < jobs ? count : jobs));
    say("shutdown\n");
    server_wait();
    close(server.in);
}

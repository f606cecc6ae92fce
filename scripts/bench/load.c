/*
 * load [-s SERVER] MODE ARGUMENT...: starts ./server, or another one that knows the commands of the mode,
 * gives it commands through a pipe as fast as it takes them, checks each reply, and prints the results.
 *
 *     trip DRIVERS ASKED COUNT     get_status per second, one at a time, to the first ASKED of
 *                                  DRIVERS drivers in turn
 *     pipeline DRIVERS COUNT       get_status per second, as many at once as the pipes hold, to all
 *                                  drivers in turn
 *     jobs DRIVERS COUNT           jobs (/bin/true) per second that DRIVERS drivers run, all given
 *                                  at once; microseconds of CPU time of server and drivers for each
 *     queue DRIVERS COUNT          for COUNT jobs that one client of the control socket submits, as
 *                                  many at once as it holds, while the queue is paused: submit per
 *                                  second; seconds for a get_jobs; MiB by which the server has
 *                                  grown, at its peak; milliseconds of its CPU time for all submit
 *     clients CLIENTS COUNT JOBS   microseconds for each of COUNT get_status, 64 at once from each of
 *                                  CLIENTS clients of the control socket, and for each of JOBS jobs
 *                                  (/bin/true), one from each, with 2 drivers
 *     waiting COUNT JOBS           while COUNT jobs wait, microseconds for each of JOBS more submit, for
 *                                  each cancel_job of these, and for each of the first JOBS that run
 *                                  then, with 2 drivers
 *     create COUNT                 drivers per second that one create_driver brings up
 *     stop COUNT                   seconds from the start of the server until COUNT drivers are up,
 *                                  and from SIGTERM until they and the server are gone
 *     orphans COUNT                seconds until COUNT drivers are up, and how many are alive 2 s
 *                                  after the server got SIGKILL
 *     hold COUNT                   KiB of private memory that the server needs per driver, and the
 *                                  pids of the drivers, which live until standard input ends
 *     many COUNT                   seconds until COUNT drivers are up, for a get_drivers, and for a
 *                                  stop; how many drivers are left after the stop
 *     idle COUNT                   how often the kernel runs COUNT drivers and the server in an idle
 *                                  second; how many drivers are left after a stop
 *     deaths COUNT KILLED          milliseconds of the server's CPU time for the death of one of
 *                                  COUNT drivers, the median of KILLED deaths; and for the death of
 *                                  all at once
 *     tasks DRIVERS COUNT          microseconds (median) by which the server logs the end of a task
 *                                  late, counted from just before the command is written; the same,
 *                                  counted from the logged start; how many tasks ended early
 *     calls COUNT                  system calls per pipelined get_status, in the server and in the
 *                                  driver, counted by strace
 *     allocs COUNT SHIM            calls of malloc and the like for COUNT pipelined get_status and
 *                                  some tasks and lists, after the server has done them all once
 */
#include "load.h"
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ORPHANS_MS = 2000, /* what is alive after this counts as left behind */
};

static void
run_trip(char **args)
{
    long drivers = argument(args[0], DRIVERS_MAX), asked = argument(args[1], drivers);
    long count = argument(args[2], COUNT_MAX);
    int64_t start_ns = 0;

    server_start_plain();
    create(drivers);
    server_quiet();
    if (fcntl(server.in, F_SETFL, 0) < 0 || fcntl(server.out, F_SETFL, 0) < 0)
        err(1, "fcntl");
    for (long i = -(count / 10 + asked); i < count; i++) { /* some more first, to warm up */
        if (i == 0)
            start_ns = clock_ns(CLOCK_MONOTONIC);
        ask_once(server.drivers[(i + count + 2 * asked) % asked]);
    }
    printf("%.0f\n", rate_since(count, start_ns));
    server_end();
}

static void
run_pipeline(char **args)
{
    long drivers = argument(args[0], DRIVERS_MAX), count = argument(args[1], COUNT_MAX);
    long rounds = (count + drivers - 1) / drivers;

    server_start_plain();
    create(drivers);
    ask_pipelined((rounds + 9) / 10);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    count = ask_pipelined(rounds);
    printf("%.0f\n", rate_since(count, start_ns));
    server_end();
}

/* Returns the usage of the server and its drivers, without their jobs. */
static struct usage
usage_of_all(void)
{
    struct usage sum = usage_of(server.pid);

    for (long i = 0; i < server.drivers_count; i++) {
        struct usage driver = usage_of(server.drivers[i]);
        sum.cpu_ns += driver.cpu_ns;
        sum.runs += driver.runs;
    }
    return sum;
}

static void
run_jobs(char **args)
{
    long drivers = argument(args[0], DRIVERS_MAX), count = argument(args[1], COUNT_MAX);
    static const char job[] = "run any 60 /bin/true\n";
    const size_t size = sizeof(job) - 1;
    long written = 0, done = 0;

    server_start_plain();
    create(drivers);
    int64_t before_ns = usage_of_all().cpu_ns, start_ns = clock_ns(CLOCK_MONOTONIC);
    while (done < count) {
        /* A short line is written whole or not at all, pipe(7). */
        while (written < count && write(server.in, job, size) == (ssize_t)size)
            written++;
        const char *line = reply();
        if (strstr(line, " Done exit 0") == NULL)
            errx(1, "unexpected reply '%s'", line);
        done++;
    }
    printf("%.0f ", rate_since(count, start_ns));
    printf("%.1f\n", (double)(usage_of_all().cpu_ns - before_ns) / 1e3 / (double)count);
    server_end();
}

static void
run_create(char **args)
{
    long count = argument(args[0], DRIVERS_MAX);

    server_start_plain();
    printf("%.0f\n", (double)count / create(count));
    server_end();
}

/* Stops the server. Returns the seconds until it is gone. */
static double
stop(void)
{
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);

    kill(server.pid, SIGTERM);
    server_wait();
    return (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
}

static void
run_stop(char **args)
{
    long count = argument(args[0], DRIVERS_MAX);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);

    server_start_plain();
    create(count);
    printf("%.4f ", (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9);
    double seconds = stop();
    if (drivers_alive() != 0)
        errx(1, "a driver is left");
    printf("%.4f\n", seconds);
}

static void
run_orphans(char **args)
{
    int64_t end_ns;

    server_start_plain();
    printf("%.4f ", create(argument(args[0], DRIVERS_MAX)));
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
    server.pid = 0;
    end_ns = clock_ns(CLOCK_MONOTONIC) + ORPHANS_MS * NS_PER_MS;
    while (drivers_alive() > 0 && clock_ns(CLOCK_MONOTONIC) < end_ns)
        pause_ms(10);
    printf("%ld\n", drivers_alive());
}

/* Returns the KiB of memory that only the server uses. */
static long
server_private_kib(void)
{
    char path[64], line[LINE_SIZE];
    long sum = 0, kib;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", server.pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        err(1, "%s", path);
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &kib) == 1)
            sum += kib;
    fclose(file);
    return sum;
}

/* One driver is created first, so that what the server allocates for its first driver is not counted. */
static void
run_hold(char **args)
{
    long count = argument(args[0], DRIVERS_MAX);
    char byte;

    server_start_plain();
    create(1);
    free(server.drivers);
    server_quiet();
    long before_kib = server_private_kib();
    create(count);
    server_quiet();
    printf("%.3f", (double)(server_private_kib() - before_kib) / (double)count);
    for (long i = 0; i < count; i++)
        printf(" %d", server.drivers[i]);
    printf("\n");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    server_end();
}

static void
run_many(char **args)
{
    long count = argument(args[0], DRIVERS_MAX);

    server_start_plain();
    double up_s = create(count);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    say("get_drivers\n");
    for (long i = 0; i < count; i++)
        reply_available();
    reply_count(count);
    double list_s = (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    double stop_s = stop();
    printf("%.3f %.3f %.3f %ld\n", up_s, list_s, stop_s, drivers_alive());
}

static void
run_idle(char **args)
{
    server_start_plain();
    create(argument(args[0], DRIVERS_MAX));
    all_quiet();
    int64_t runs = usage_of_all().runs;
    pause_ms(1000);
    runs = usage_of_all().runs - runs;
    stop();
    printf("%lld %ld\n", (long long)runs, drivers_alive());
}

/* Waits until the server has logged that many deaths. */
static void
deaths_wait(long count)
{
    struct pollfd log = {.fd = server.log, .events = POLLIN};
    char text[4096];

    while (count > 0) {
        if (poll(&log, 1, PATIENCE_MS) != 1)
            errx(1, "no death was logged in %d s", PATIENCE_MS / 1000);
        ssize_t size = read(server.log, text, sizeof(text));
        for (ssize_t i = 0; i < size; i++)
            count -= text[i] == '\n';
    }
}

/* Kills all drivers. Returns the CPU time, in nanoseconds, that the server uses until they are
 * gone, including for its answers to stats. The log is read all the time, as a terminal would
 * do. */
static int64_t
death_of_all(void)
{
    struct pollfd log = {.fd = server.log, .events = POLLIN};
    char text[4096];
    int64_t before_ns = usage_of(server.pid).cpu_ns;
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_MS * NS_PER_MS;

    for (long i = 0; i < server.drivers_count; i++)
        kill(server.drivers[i], SIGKILL);
    do {
        while (poll(&log, 1, 20) == 1)
            if (read(server.log, text, sizeof(text)) < 0)
                err(1, "read");
        if (clock_ns(CLOCK_MONOTONIC) > end_ns)
            errx(1, "not all drivers went");
        say("stats\n");
    } while (strstr(reply(), " drivers=0 starting=0 stopping=0 ") == NULL);
    server_quiet();
    return usage_of(server.pid).cpu_ns - before_ns;
}

static void
run_deaths(char **args)
{
    long count = argument(args[0], DRIVERS_MAX), killed = argument(args[1], 10000);
    char *argv[] = {"./server", NULL};
    int log[2];
    int64_t *each_ns = calloc((size_t)killed, sizeof(*each_ns));

    if (each_ns == NULL || pipe2(log, O_CLOEXEC) < 0)
        err(1, "start");
    server_start(argv, log[1]);
    server.log = log[0];
    close(log[1]);
    create(count);
    for (long i = 0; i < killed; i++) {
        pid_t *driver = &server.drivers[i * 7919 % count]; /* spread over all drivers */
        server_quiet();
        int64_t before_ns = usage_of(server.pid).cpu_ns;
        kill(*driver, SIGKILL);
        deaths_wait(1);
        server_quiet();
        each_ns[i] = usage_of(server.pid).cpu_ns - before_ns;
        say("create_driver\n");
        *driver = reply_available();
    }
    server_quiet();
    double one_ms = (double)median(each_ns, (size_t)killed) / 1e6;
    printf("%.4f %.1f\n", one_ms, (double)death_of_all() / 1e6);
    free(each_ns);
    server_end();
}

/* ---- main ---------------------------------------------------------------------------------- */

static const struct mode {
    const char *name;
    int args;
    void (*run)(char **args);
} modes[] = {
    {"trip", 3, run_trip},       {"pipeline", 2, run_pipeline}, {"create", 1, run_create},
    {"jobs", 2, run_jobs},       {"stop", 1, run_stop},         {"orphans", 1, run_orphans},
    {"hold", 1, run_hold},       {"many", 1, run_many},         {"deaths", 2, run_deaths},
    {"tasks", 2, run_tasks},     {"calls", 1, run_calls},       {"allocs", 2, run_allocs},
    {"queue", 2, run_queue},     {"idle", 1, run_idle},         {"clients", 3, run_clients},
    {"waiting", 2, run_waiting},
};

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* if the server is gone, write(2) fails */
    if (argc > 2 && strcmp(argv[1], "-s") == 0) {
        server.program = argv[2];
        argc -= 2, argv += 2;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0 && argc == 2 + modes[i].args) {
            modes[i].run(argv + 2);
            free(server.drivers);
            return 0;
        }
    }
    errx(2, "usage: load [-s SERVER] MODE ARGUMENT... (see the beginning of load.c)");
}

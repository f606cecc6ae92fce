/*
 * load MODE ...: starts ./server, gives it commands through a pipe as fast as it takes them, checks
 * each reply, and prints what was measured.
 *
 *     trip DRIVERS ASKED COUNT     get_status per second, one at a time, of the first ASKED drivers
 *                                  in turn, while there are DRIVERS
 *     pipeline DRIVERS COUNT       get_status per second, as many at once as the pipes hold, of all
 *                                  drivers in turn
 *     jobs DRIVERS COUNT           commands (/bin/true) per second that a pool of drivers runs, all
 *                                  given at once
 *     create COUNT                 drivers per second that one create_driver brings up
 *     stop COUNT                   seconds until that many are up, and from SIGTERM until the server
 *                                  and all of them are gone
 *     orphans COUNT                seconds until that many are up, and how many were alive 2 s after
 *                                  the server was sent SIGKILL
 *     hold COUNT                   KiB of private memory that the server takes a driver, and the
 *                                  pids of the drivers, which live until standard input ends
 *     many COUNT                   seconds until that many are up, of a get_drivers, and of a stop;
 *                                  how many times they and the server were run by the kernel in an
 *                                  idle second; how many were left after the stop
 *     deaths COUNT KILLED          milliseconds of the server's CPU time for the death of one of so
 *                                  many drivers, the median of KILLED such deaths; and for the death
 *                                  of all at once
 *     tasks DRIVERS COUNT          microseconds (median) from the moment at which a task given just
 *                                  now to a free driver should be over, counted from before the
 *                                  command was written, until the server logs its end; the same
 *                                  counted from when the server has logged its start; how many ended
 *                                  early
 *     calls COUNT                  system calls a pipelined get_status, in the server and in the
 *                                  driver, counted by strace
 *     allocs COUNT SHIM            calls of malloc and its kin per COUNT pipelined get_status, and
 *                                  as many tasks and lists as fit, all of which were made before
 */
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 60000,   /* for anything that has to happen */
    ORPHANS_MS = 2000,     /* what is alive then has been left behind */
    QUIET_MS = 5,          /* no CPU time for so long: whatever was to be done is done */
    HELD_UP_MS = 200,      /* well below the time that a driver has to answer */
    BLOCK_SIZE = 64 << 10, /* what a pipe holds */
    LINE_SIZE = 256,
    DRIVERS_MAX = 100000,
    COUNT_MAX = 1000000000,
};

static struct {
    pid_t pid;
    int in, out; /* its standard input and output; our ends are nonblocking */
    int log;     /* its standard error, where that is not ours; else -1 */
    char text[BLOCK_SIZE];
    size_t start, end; /* what was read of its output and not looked at yet */
    pid_t *drivers;
    long drivers_count;
} server = {.in = -1, .out = -1, .log = -1};

/* ---- the server ---------------------------------------------------------------------------- */

static void
server_kill(void)
{
    if (server.pid > 0)
        kill(server.pid, SIGKILL); /* its drivers leave by themselves */
}

/* argv: the server's own; log: its standard error, or -1 for ours. */
static void
server_start(char *const *argv, int log)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        err(1, "pipe2");
    server.pid = fork();
    if (server.pid < 0)
        err(1, "fork");
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || (log >= 0 && dup2(log, 2) < 0))
            err(1, "dup2");
        execv(argv[0], argv);
        err(1, "%s", argv[0]);
    }
    atexit(server_kill);
    close(in[0]);
    close(out[1]);
    server.in = in[1];
    server.out = out[0];
    if (fcntl(server.in, F_SETFL, O_NONBLOCK) < 0 || fcntl(server.out, F_SETFL, O_NONBLOCK) < 0)
        err(1, "fcntl");
}

static void
server_start_plain(void)
{
    char *argv[] = {"./server", NULL};

    server_start(argv, -1);
}

/* Waits until it has ended of itself. */
static void
server_wait(void)
{
    int status;

    if (waitpid(server.pid, &status, 0) != server.pid)
        err(1, "waitpid");
    server.pid = 0;
    if (status != 0)
        errx(1, "the server ended with status %d", status);
}

static void
server_end(void)
{
    close(server.in);
    server_wait();
}

/* A command is short, and is written when the server has read those before. */
static void
say(const char *command)
{
    size_t size = strlen(command);

    if (write(server.in, command, size) != (ssize_t)size)
        err(1, "cannot write '%s'", command);
}

/* Reads what there is of the output. */
static void
output_read(void)
{
    if (server.start == server.end)
        server.start = server.end = 0;
    if (server.end == sizeof(server.text)) {
        server.end -= server.start;
        memmove(server.text, server.text + server.start, server.end);
        server.start = 0;
    }
    ssize_t n = read(server.out, server.text + server.end, sizeof(server.text) - server.end);
    if (n == 0)
        errx(1, "the server is gone");
    if (n > 0)
        server.end += (size_t)n;
}

/* The next line of the output that is here, ended by 0; NULL: none. */
static char *
line_next(void)
{
    char *at = server.text + server.start;
    char *newline = memchr(at, '\n', server.end - server.start);

    if (newline == NULL)
        return NULL;
    *newline = '\0';
    server.start += (size_t)(newline + 1 - at);
    return at;
}

/* Waits for the next line of the output. */
static char *
reply(void)
{
    struct pollfd output = {.fd = server.out, .events = POLLIN};
    char *line;

    while ((line = line_next()) == NULL) {
        if (poll(&output, 1, PATIENCE_MS) != 1)
            errx(1, "no reply in %d s", PATIENCE_MS / 1000);
        output_read();
    }
    return line;
}

/* The pid in the reply "Driver PID Available". */
static pid_t
reply_available(void)
{
    char *line = reply(), *end = line;
    long pid = strncmp(line, "Driver ", 7) == 0 ? strtol(line + 7, &end, 10) : 0;

    if (pid <= 0 || strcmp(end, " Available") != 0)
        errx(1, "unexpected reply '%s'", line);
    return (pid_t)pid;
}

static void
reply_count(long expected)
{
    char *line = reply();

    if (strtol(line, NULL, 10) != expected || strstr(line, " driver") == NULL)
        errx(1, "unexpected reply '%s'", line);
}

/* Creates the drivers, by one command. Returns the seconds that it took. */
static double
create(long count)
{
    char command[LINE_SIZE];

    server.drivers = calloc((size_t)count, sizeof(*server.drivers));
    if (server.drivers == NULL)
        err(1, "calloc");
    server.drivers_count = count;
    snprintf(command, sizeof(command), "create_driver %ld\n", count);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    say(command);
    for (long i = 0; i < count; i++)
        server.drivers[i] = reply_available();
    reply_count(count);
    return (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
}

/* How many drivers live; one that is dead and not reaped does not. */
static long
drivers_alive(void)
{
    char path[64], text[512];
    long alive = 0;

    for (long i = 0; i < server.drivers_count; i++) {
        snprintf(path, sizeof(path), "/proc/%d/stat", server.drivers[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        ssize_t size = read(fd, text, sizeof(text) - 1);
        close(fd);
        text[size > 0 ? size : 0] = '\0';
        const char *state = strrchr(text, ')');
        alive += state != NULL && state[1] != '\0' && state[2] != 'Z';
    }
    return alive;
}

struct usage {
    int64_t cpu_ns; /* time on a processor */
    int64_t runs;   /* how many times it was put on one */
};

static struct usage
usage_of(pid_t pid)
{
    char path[64];
    long long cpu_ns, waited_ns, runs;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%lld %lld %lld", &cpu_ns, &waited_ns, &runs) != 3)
        err(1, "%s", path);
    fclose(file);
    return (struct usage){.cpu_ns = cpu_ns, .runs = runs};
}

static void
pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Waits until the server has nothing to do any more, which no event tells. */
static void
server_quiet(void)
{
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_MS * NS_PER_MS;
    struct usage before, now = usage_of(server.pid);

    do {
        before = now;
        pause_ms(QUIET_MS);
        now = usage_of(server.pid);
        if (clock_ns(CLOCK_MONOTONIC) > end_ns)
            errx(1, "the server is never idle");
    } while (now.runs != before.runs || now.cpu_ns != before.cpu_ns);
}

/* ---- questions ----------------------------------------------------------------------------- */

/* A pattern of bytes, one cycle after another; at any place of the first, BLOCK_SIZE more follow. */
struct pattern {
    char *data;
    size_t cycle; /* bytes */
};

/* One line for each of the first drivers. */
static struct pattern
pattern_new(const char *format, long drivers)
{
    struct pattern pattern = {.data = NULL};
    size_t room = (size_t)drivers * LINE_SIZE + BLOCK_SIZE;

    pattern.data = malloc(room);
    if (pattern.data == NULL)
        err(1, "malloc");
    for (long i = 0; i < drivers; i++)
        pattern.cycle += (size_t)sprintf(pattern.data + pattern.cycle, format, server.drivers[i]);
    for (size_t at = 0; at < BLOCK_SIZE; at++)
        pattern.data[pattern.cycle + at] = pattern.data[at];
    return pattern;
}

/* What the command and its reply look like. */
#define QUESTION "get_status %d\n"
#define ANSWER   "Driver %d Available\n"

/* Asks all drivers in turn, rounds times, as many at once as the pipes hold. Returns the number of
 * questions. */
static long
ask_pipelined(long rounds)
{
    struct pattern questions = pattern_new(QUESTION, server.drivers_count);
    struct pattern answers = pattern_new(ANSWER, server.drivers_count);
    size_t to_write = questions.cycle * (size_t)rounds, to_read = answers.cycle * (size_t)rounds;
    size_t written = 0, done = 0;
    static char data[BLOCK_SIZE];

    while (done < to_read) {
        struct pollfd ends[] = {
            {.fd = server.out, .events = POLLIN},
            {.fd = written < to_write ? server.in : -1, .events = POLLOUT},
        };
        if (poll(ends, 2, PATIENCE_MS) < 1)
            errx(1, "no reply in %d s", PATIENCE_MS / 1000);
        if (ends[1].revents != 0) {
            size_t size = to_write - written < BLOCK_SIZE ? to_write - written : BLOCK_SIZE;
            ssize_t n = write(server.in, questions.data + written % questions.cycle, size);
            if (n < 0 && errno != EAGAIN)
                err(1, "write");
            written += n > 0 ? (size_t)n : 0;
        }
        if (ends[0].revents != 0) {
            ssize_t n = read(server.out, data, sizeof(data));
            if (n <= 0)
                errx(1, "the server is gone");
            if (memcmp(data, answers.data + done % answers.cycle, (size_t)n) != 0)
                errx(1, "unexpected reply");
            done += (size_t)n;
        }
    }
    free(questions.data);
    free(answers.data);
    return rounds * server.drivers_count;
}

/* Asks the driver and waits for its answer, with the pipes blocking, as a simple client does. */
static void
ask_once(pid_t driver)
{
    char question[64], answer[64], expected[64];
    ssize_t size = sprintf(question, QUESTION, driver);

    if (write(server.in, question, (size_t)size) != size)
        err(1, "write");
    size = sprintf(expected, ANSWER, driver);
    if (read(server.out, answer, sizeof(answer)) != size ||
        memcmp(answer, expected, (size_t)size) != 0)
        errx(1, "unexpected reply");
}

/* ---- modes --------------------------------------------------------------------------------- */

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
    for (long i = -(count / 10 + asked); i < count; i++) { /* some before, to warm up */
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

static void
run_jobs(char **args)
{
    long drivers = argument(args[0], DRIVERS_MAX), count = argument(args[1], COUNT_MAX);
    static const char job[] = "run any 60 /bin/true\n";
    const size_t size = sizeof(job) - 1;
    long written = 0, done = 0;

    server_start_plain();
    create(drivers);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    while (done < count) {
        /* A line is written whole or not at all, pipe(7). */
        while (written < count && write(server.in, job, size) == (ssize_t)size)
            written++;
        const char *line = reply();
        if (strstr(line, " Done exit 0") == NULL)
            errx(1, "unexpected reply '%s'", line);
        done++;
    }
    printf("%.0f\n", rate_since(count, start_ns));
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

/* Returns the seconds until the server is gone. */
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
    server_start_plain();
    printf("%.4f ", create(argument(args[0], DRIVERS_MAX)));
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

/* KiB that are the server's alone. */
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

/* One driver comes and goes before, so that what the server needs for the first is not counted. */
static void
run_hold(char **args)
{
    long count = argument(args[0], DRIVERS_MAX);
    char command[LINE_SIZE], byte;

    server_start_plain();
    say("create_driver\n");
    snprintf(command, sizeof(command), "delete_driver %d\n", reply_available());
    say(command);
    reply();
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

static int64_t
runs_of_all(void)
{
    int64_t runs = usage_of(server.pid).runs;

    for (long i = 0; i < server.drivers_count; i++)
        runs += usage_of(server.drivers[i]).runs;
    return runs;
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
    server_quiet();
    int64_t runs = runs_of_all();
    pause_ms(1000);
    runs = runs_of_all() - runs;
    double stop_s = stop();
    printf("%.3f %.3f %.3f %lld %ld\n", up_s, list_s, stop_s, (long long)runs, drivers_alive());
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

/* CPU time of the server for the death of all. The server itself says when there is none left;
 * asking it is counted, too, and its log is read meanwhile as a terminal would. */
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
        pid_t *driver = &server.drivers[i * 7919 % count]; /* here and there */
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

/* ---- tasks --------------------------------------------------------------------------------- */

struct task {
    pid_t driver;
    bool answered, running; /* as far as its answer and the log tell */
    int64_t written_ns;     /* when the command was about to be written; on CLOCK_REALTIME */
    int64_t started_ns;     /* when the server logged its start */
    int64_t duration_ns;
};

struct tasks {
    struct task *tasks;
    long count, given, ended, wanted, early;
    uint32_t seed;
    int64_t *late_ns;         /* counted from written_ns */
    int64_t *late_started_ns; /* counted from started_ns */
};

static void
task_give(struct tasks *all, struct task *task)
{
    char command[LINE_SIZE];
    int64_t duration_ms = duration_next_ms(&all->seed);

    task->answered = false;
    task->running = true;
    task->duration_ns = duration_ms * NS_PER_MS;
    snprintf(command, sizeof(command), "send_task %d 0.%03d\n", task->driver, (int)duration_ms);
    all->given++;
    task->written_ns = clock_ns(CLOCK_REALTIME);
    say(command);
}

static struct task *
task_of(struct tasks *all, long pid)
{
    for (long i = 0; i < all->count; i++)
        if (all->tasks[i].driver == pid)
            return &all->tasks[i];
    errx(1, "no driver %ld", pid);
}

/* A driver whose task has ended and was answered gets its next. */
static void
task_next(struct tasks *all, struct task *task)
{
    if (task->answered && !task->running && all->given < all->wanted)
        task_give(all, task);
}

/* The log is a socket of datagrams, to which the kernel adds when each line was sent: when the
 * server knew of it, however late we are to read it. */
static void
task_log_read(struct tasks *all)
{
    char line[LINE_SIZE], control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec data = {.iov_base = line, .iov_len = sizeof(line) - 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct timespec sent;

    ssize_t size = recvmsg(server.log, &message, MSG_DONTWAIT);
    struct cmsghdr *stamp = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (stamp == NULL || stamp->cmsg_type != SCM_TIMESTAMPNS)
        errx(1, "no time with a line of the log");
    memcpy(&sent, CMSG_DATA(stamp), sizeof(sent));
    int64_t sent_ns = sent.tv_sec * NS_PER_S + sent.tv_nsec;
    line[size] = '\0';
    if (strncmp(line, "server: driver ", 15) != 0 || strstr(line, " task ") == NULL)
        return;
    struct task *task = task_of(all, strtol(line + 15, NULL, 10));
    if (strstr(line, " started") != NULL) {
        task->started_ns = sent_ns;
    } else if (strstr(line, " done") != NULL) {
        int64_t late_ns = sent_ns - task->written_ns - task->duration_ns;
        all->early += late_ns < 0;
        all->late_ns[all->ended] = late_ns;
        all->late_started_ns[all->ended] = sent_ns - task->started_ns - task->duration_ns;
        all->ended++;
        task->running = false;
        task_next(all, task);
    }
}

static void
task_answer_read(struct tasks *all)
{
    char *line;

    output_read();
    while ((line = line_next()) != NULL) {
        if (strncmp(line, "Driver ", 7) != 0 || strstr(line, " Busy 1") == NULL)
            errx(1, "unexpected reply '%s'", line);
        struct task *task = task_of(all, strtol(line + 7, NULL, 10));
        task->answered = true;
        task_next(all, task);
    }
}

static void
run_tasks(char **args)
{
    struct tasks all = {
        .count = argument(args[0], 1000), .wanted = argument(args[1], 1000000), .seed = 1};
    char *argv[] = {"./server", "-v", NULL};
    int log[2], on = 1;

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, log) < 0 ||
        setsockopt(log[0], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
        err(1, "log");
    server_start(argv, log[1]);
    server.log = log[0];
    close(log[1]);
    create(all.count);
    all.tasks = calloc((size_t)all.count, sizeof(*all.tasks));
    all.late_ns = calloc((size_t)all.wanted, sizeof(*all.late_ns));
    all.late_started_ns = calloc((size_t)all.wanted, sizeof(*all.late_started_ns));
    if (all.tasks == NULL || all.late_ns == NULL || all.late_started_ns == NULL)
        err(1, "calloc");
    for (long i = 0; i < all.count; i++) {
        all.tasks[i].driver = server.drivers[i];
        all.tasks[i].answered = true;
        task_next(&all, &all.tasks[i]);
    }
    while (all.ended < all.wanted) {
        struct pollfd ends[] = {{.fd = server.out, .events = POLLIN},
                                {.fd = server.log, .events = POLLIN}};
        if (poll(ends, 2, PATIENCE_MS) < 1)
            errx(1, "a task has no end");
        if (ends[1].revents != 0)
            task_log_read(&all);
        if (ends[0].revents != 0)
            task_answer_read(&all);
    }
    printf("%.1f %.1f %ld\n", (double)median(all.late_ns, (size_t)all.wanted) / 1e3,
           (double)median(all.late_started_ns, (size_t)all.wanted) / 1e3, all.early);
    server_end();
    free(all.tasks);
    free(all.late_ns);
    free(all.late_started_ns);
}

/* ---- counts -------------------------------------------------------------------------------- */

/* Has strace(1) count the system calls of a process from now on. Returns its pid. */
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
    while (tracer == 0) { /* no event tells that it has attached itself */
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

/* Ends it. Returns the number of calls: the fourth word of the line of the total. */
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

/* A program that is traced is slower to call, so it finds more when it does. Far below the limit,
 * as it should be, that does not matter. */
static void
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

/* Everything that a client can do with the drivers that there are. */
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

/* With its drivers stopped for a moment, the server holds as many commands as it ever will. */
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

static void
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

/* ---- main ---------------------------------------------------------------------------------- */

static const struct mode {
    const char *name;
    int args;
    void (*run)(char **args);
} modes[] = {
    {"trip", 3, run_trip},   {"pipeline", 2, run_pipeline}, {"create", 1, run_create},
    {"jobs", 2, run_jobs},   {"stop", 1, run_stop},         {"orphans", 1, run_orphans},
    {"hold", 1, run_hold},   {"many", 1, run_many},         {"deaths", 2, run_deaths},
    {"tasks", 2, run_tasks}, {"calls", 1, run_calls},       {"allocs", 2, run_allocs},
};

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a server that is gone shows in the write */
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0 && argc == 2 + modes[i].args) {
            modes[i].run(argv + 2);
            free(server.drivers);
            return 0;
        }
    }
    errx(2, "usage: load MODE ARGUMENT... (see the beginning of load.c)");
}

#include "load.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUIET_MS = 5,       /* a process that uses no CPU time for this long has nothing left to do */
    FDS_TO_SEARCH = 64, /* a server opens its timerfd first */
};

struct server server = {.program = "./server", .in = -1, .out = -1, .log = -1};

static void
server_kill(void)
{
    if (server.pid > 0)
        kill(server.pid, SIGKILL); /* its drivers then exit by themselves */
}

void
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

void
server_start_plain(void)
{
    char *argv[] = {server.program, NULL};

    server_start(argv, -1);
}

void
server_wait(void)
{
    int status;

    if (waitpid(server.pid, &status, 0) != server.pid)
        err(1, "waitpid");
    server.pid = 0;
    if (status != 0)
        errx(1, "the server ended with status %d", status);
}

void
server_end(void)
{
    close(server.in);
    server_wait();
}

void
say(const char *command)
{
    size_t size = strlen(command);

    if (write(server.in, command, size) != (ssize_t)size)
        err(1, "cannot write '%s'", command);
}

void
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

char *
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

char *
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

pid_t
reply_available(void)
{
    char *line = reply(), *end = line;
    long pid = strncmp(line, "Driver ", 7) == 0 ? strtol(line + 7, &end, 10) : 0;

    if (pid <= 0 || strcmp(end, " Available") != 0)
        errx(1, "unexpected reply '%s'", line);
    return (pid_t)pid;
}

void
reply_count(long expected)
{
    char *line = reply();

    if (strtol(line, NULL, 10) != expected || strstr(line, " driver") == NULL)
        errx(1, "unexpected reply '%s'", line);
}

double
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

long
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

struct usage
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

void
pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Whether the process waits for something, and neither runs nor is able to, proc(5). */
static bool
sleeps(pid_t pid)
{
    char path[64], state = '?';

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        err(1, "%s", path);
    fclose(file);
    return state == 'S';
}

/* Whether no deadline runs, not even the one of memory that may go back, proc(5). */
static bool
timer_is_off(pid_t pid)
{
    char path[64], line[128];
    bool off = true;

    for (int fd = 0; fd < FDS_TO_SEARCH; fd++) {
        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        while (fgets(line, sizeof(line), file) != NULL)
            if (strncmp(line, "it_value:", 9) == 0 && strstr(line, "(0, 0)") == NULL)
                off = false;
        fclose(file);
    }
    return off;
}

void
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
    } while (now.runs != before.runs || now.cpu_ns != before.cpu_ns || !sleeps(server.pid));
}

void
all_quiet(void)
{
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_MS * NS_PER_MS;

    server_quiet();
    while (!timer_is_off(server.pid)) {
        if (clock_ns(CLOCK_MONOTONIC) > end_ns)
            errx(1, "the server always has a deadline");
        pause_ms(QUIET_MS);
    }
    for (long i = 0; i < server.drivers_count;) {
        if (sleeps(server.drivers[i]))
            i++;
        else if (clock_ns(CLOCK_MONOTONIC) > end_ns)
            errx(1, "driver %d is never idle", server.drivers[i]);
        else
            pause_ms(1);
    }
}

/* ---- questions ----------------------------------------------------------------------------- */

/* A repeating pattern of bytes. At least BLOCK_SIZE bytes follow each place in its first cycle. */
struct pattern {
    char *data;
    size_t cycle; /* in bytes */
};

/* Returns a pattern whose cycle has one line for each of the first drivers. */
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

/* The command and its reply. */
#define QUESTION "get_status %d\n"
#define ANSWER   "Driver %d Available\n"

long
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

void
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

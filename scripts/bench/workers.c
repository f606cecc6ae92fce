/*
 * workers MODE COUNT FIFO SUPERVISOR [ARGUMENT...]: starts a supervisor that runs COUNT
 * bare-workers, waits until each of them has said through the FIFO that it is up, and prints:
 *
 *     stop=SIGNAL   seconds until all are up, and seconds from sending the supervisor that signal
 *                   until the supervisor and its last worker are gone
 *     kill          seconds until all are up, and how many workers are alive 2 s after the
 *                   supervisor got SIGKILL
 *     ask=N,COMMAND seconds until all are up, and how often per second COMMAND (words between
 *                   single blanks) can be run to its successful end, N times in a row
 *
 * When their parent is gone, the processes that the supervisor has started become children of this
 * process (PR_SET_CHILD_SUBREAPER). This process ends and reaps all of them.
 */
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 30000, /* for all workers to come up, and for all to go away */
    ORPHANS_MS = 2000,
};

static pid_t supervisor;
static long count;
static pid_t *workers; /* the pids of those that are up */

/* Ends everything that was started: each round kills the processes that are our children by
 * then. */
static void
clean_up(void)
{
    char path[64], line[65536];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(), getpid());
    for (;;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
        close(fd);
        if (size <= 0)
            return;
        line[size] = '\0';
        char *end, *at = line;
        for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
            if (*end == ' ') /* otherwise it may be cut off; the next round finds it */
                kill((pid_t)pid, SIGKILL);
        waitpid(-1, NULL, 0);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void
child_prepare(void)
{
    static const int own[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t none;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        signal(own[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static pid_t
start(char *const *argv)
{
    pid_t pid = fork();

    if (pid < 0)
        err(1, "fork");
    if (pid > 0)
        return pid;
    int null = open("/dev/null", O_RDWR);
    child_prepare();
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        _exit(127);
    execvp(argv[0], argv);
    err(127, "%s", argv[0]);
}

/* Waits until wanted workers are up or, if wanted is 0, until none has the FIFO open any more.
 * Returns 0 if that takes longer than timeout_ms. */
static int
workers_wait(int fd, long wanted, int timeout_ms)
{
    static char text[65536];
    static size_t size;
    static long up;
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ms * NS_PER_MS;
    struct pollfd input = {.fd = fd, .events = POLLIN};

    while (wanted == 0 || up < wanted) {
        int64_t left_ms = (end_ns - clock_ns(CLOCK_MONOTONIC)) / NS_PER_MS;
        if (left_ms <= 0 || poll(&input, 1, (int)left_ms) <= 0)
            return 0;
        ssize_t n = read(fd, text + size, sizeof(text) - size);
        if (n < 0)
            continue;
        if (n == 0)
            return wanted == 0;
        size += (size_t)n;
        char *newline, *at = text;
        while ((newline = memchr(at, '\n', size - (size_t)(at - text))) != NULL) {
            if (up < count) /* a supervisor may restart one that was ended */
                workers[up++] = (pid_t)strtol(at, NULL, 10);
            at = newline + 1;
        }
        size -= (size_t)(at - text);
        memmove(text, at, size);
    }
    return 1;
}

static long
workers_alive(void)
{
    char path[64], text[512];
    long alive = 0;

    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "/proc/%d/stat", workers[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        close(fd);
        text[size > 0 ? size : 0] = '\0';
        const char *state = strrchr(text, ')');
        alive += state != NULL && state[1] != '\0' && state[2] != 'Z';
    }
    return alive;
}

static double
ask(const char *mode)
{
    char *command;
    long times = strtol(mode, &command, 10);
    char *words[16];
    size_t used = 0;

    if (times < 1 || *command != ',')
        errx(2, "bad mode");
    for (char *word = strtok(command + 1, " "); word != NULL && used < 15; word = strtok(NULL, " "))
        words[used++] = word;
    words[used] = NULL;
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < times; i++) {
        int status;
        pid_t pid = start(words);
        if (waitpid(pid, &status, 0) != pid || status != 0) {
            warnx("%s: status %d", words[0], status);
            return 0;
        }
    }
    return rate_since(times, start_ns);
}

/* Measures and prints. Returns 0 if something went wrong. */
static int
run(const char *mode, int fd, int64_t start_ns)
{
    if (!workers_wait(fd, count, PATIENCE_MS)) {
        warnx("not all workers came up");
        return 0;
    }
    printf("%.4f ", (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9);
    start_ns = clock_ns(CLOCK_MONOTONIC);
    if (strncmp(mode, "stop=", 5) == 0) {
        kill(supervisor, atoi(mode + 5));
        if (!workers_wait(fd, 0, PATIENCE_MS) || waitpid(supervisor, NULL, 0) != supervisor) {
            warnx("not all workers went");
            return 0;
        }
        printf("%.4f\n", (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9);
    } else if (strcmp(mode, "kill") == 0) {
        kill(supervisor, SIGKILL);
        waitpid(supervisor, NULL, 0);
        workers_wait(fd, 0, ORPHANS_MS);
        printf("%ld\n", workers_alive());
    } else if (strncmp(mode, "ask=", 4) == 0) {
        double rate = ask(mode + 4);
        printf("%.1f\n", rate);
        return rate > 0;
    } else {
        return 0;
    }
    return 1;
}

int
main(int argc, char **argv)
{
    sigset_t ends;

    if (argc < 5)
        errx(2, "usage: workers MODE COUNT FIFO SUPERVISOR [ARGUMENT...]");
    count = argument(argv[2], 100000);
    workers = calloc((size_t)count, sizeof(*workers));
    /* No signal may end this program before what it started; it ends by itself in bounded time. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (workers == NULL || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
        setenv("WORKERS", argv[3], 1) < 0)
        err(1, "start");
    if (mkfifo(argv[3], 0600) < 0)
        err(1, "%s", argv[3]);
    int fd = open(argv[3], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", argv[3]);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    supervisor = start(argv + 4);
    int done = run(argv[1], fd, start_ns);
    clean_up();
    unlink(argv[3]);
    free(workers);
    return done ? 0 : 1;
}

/*
 * bare-server: as much of a server as the benchmark needs, and nothing else: create_driver N, get_status
 * PID and get_drivers from standard input, and their replies. A question goes to a worker (bare-answer)
 * as a frame of 16 bytes, and back. The server sends all questions of a block of its input, with one write
 * to each worker, before it reads the answers to the block before. It waits in blocking calls, and checks
 * hardly anything: a command that it does not know, or a worker that dies, is its end.
 *
 * The end of its input or SIGTERM ends it. It then waits for its workers, which see their sockets end.
 */
#include "bench.h"

#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FRAME_SIZE = 16,
    QUESTIONS_MAX = BLOCK_SIZE / 13, /* get_status 1 */
    PID_MAX = 1 << 22,               /* proc(5) */
    WORKERS_MAX = 100000,
    FLIGHTS = 2,
};

struct worker {
    pid_t pid;
    int fd;
    int to_send, to_read; /* frames, while a block departs or arrives */
    char line[28];        /* its reply */
    unsigned line_size;
};

/* The questions of a block that are under way. */
struct flight {
    struct worker *asked[QUESTIONS_MAX]; /* in the order of the questions */
    int questions;
};

static struct worker workers[WORKERS_MAX];
static int workers_count;
static int worker_of[PID_MAX]; /* by pid; only the pages that are used take memory */
static struct flight flights[FLIGHTS];
static unsigned departed, arrived;

static void
write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0)
            err(1, "write");
        data += n;
        size -= (size_t)n;
    }
}

static void
read_all(int fd, size_t size)
{
    static char data[BLOCK_SIZE];

    while (size > 0) {
        ssize_t n = read(fd, data, size < sizeof(data) ? size : sizeof(data));
        if (n <= 0)
            errx(1, "a worker is gone");
        size -= (size_t)n;
    }
}

/* Runs in the new process, on the memory of the server, which waits until the exec. Descriptor 3 is its
 * socket. */
static int
worker_exec(void *unused)
{
    char path[] = "build/bench/bare-answer", *program[] = {path, NULL}, *environment[] = {NULL};

    (void)unused;
    /* The table of descriptors is shared until here, so that nobody has to copy 10,000 of them. */
    if (syscall(SYS_close_range, 4, ~0U, CLOSE_RANGE_UNSHARE) == 0)
        execve(path, program, environment);
    _exit(127);
}

static void
worker_start(struct worker *worker)
{
    static _Alignas(16) char stack[16 << 10];
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || dup2(pair[1], 3) < 0)
        err(1, "socketpair");
    worker->pid = clone(worker_exec, stack + sizeof(stack),
                        CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);
    if (worker->pid < 0)
        err(1, "clone");
    close(pair[1]);
    worker->fd = pair[0];
    worker->line_size = (unsigned)snprintf(worker->line, sizeof(worker->line),
                                           "Driver %d Available\n", worker->pid);
    worker_of[worker->pid] = (int)(worker - workers);
}

/* Adds a question to the block; with frames = 0, one that need not be sent, because its answer comes by
 * itself. */
static void
ask(struct worker *worker, int frames)
{
    struct flight *flight = &flights[departed % FLIGHTS];

    worker->to_send += frames;
    flight->asked[flight->questions++] = worker;
}

/* Sends each worker what it is asked in this block. */
static void
depart(void)
{
    static const char frames[QUESTIONS_MAX * FRAME_SIZE];
    struct flight *flight = &flights[departed % FLIGHTS];

    for (int i = 0; i < flight->questions; i++) {
        struct worker *worker = flight->asked[i];
        if (worker->to_send > 0)
            write_all(worker->fd, frames, (size_t)worker->to_send * FRAME_SIZE);
        worker->to_send = 0;
    }
    departed++;
}

/* Reads the answers to the oldest block, and writes its lines. */
static void
arrive(void)
{
    static char text[QUESTIONS_MAX * sizeof(workers->line)];
    struct flight *flight = &flights[arrived % FLIGHTS];
    size_t size = 0;

    for (int i = 0; i < flight->questions; i++)
        flight->asked[i]->to_read++;
    for (int i = 0; i < flight->questions; i++) {
        struct worker *worker = flight->asked[i];
        if (worker->to_read > 0)
            read_all(worker->fd, (size_t)worker->to_read * FRAME_SIZE);
        worker->to_read = 0;
        memcpy(text + size, worker->line, worker->line_size);
        size += worker->line_size;
    }
    write_all(STDOUT_FILENO, text, size);
    flight->questions = 0;
    arrived++;
}

static void
all_arrive(void)
{
    while (arrived < departed)
        arrive();
}

/* Starts that many workers, each of which sends a frame when it is up; if the number is 0, asks all. */
static void
create_or_list(long count)
{
    char line[64];
    int first = count > 0 ? workers_count : 0, end = count > 0 ? first + (int)count : workers_count;

    all_arrive();
    for (int i = first; i < end; i++) {
        if (i == workers_count)
            worker_start(&workers[workers_count++]);
        ask(&workers[i], count == 0);
        if (flights[departed % FLIGHTS].questions == QUESTIONS_MAX) {
            depart();
            arrive();
        }
    }
    depart();
    all_arrive();
    snprintf(line, sizeof(line), "%d drivers\n", end - first);
    write_all(STDOUT_FILENO, line, strlen(line));
}

static void
command(const char *line)
{
    if (strncmp(line, "get_status ", 11) == 0) {
        int pid = 0;
        for (line += 11; *line != '\0'; line++)
            pid = pid * 10 + (*line - '0');
        ask(&workers[worker_of[pid]], 1);
    } else if (strncmp(line, "create_driver ", 14) == 0) {
        create_or_list(strtol(line + 14, NULL, 10));
    } else if (strcmp(line, "get_drivers") == 0) {
        create_or_list(0);
    } else {
        errx(1, "unknown command '%s'", line);
    }
}

static void
end(int signal)
{
    (void)signal;
    for (int i = 0; i < workers_count; i++)
        close(workers[i].fd);
    for (int i = 0; i < workers_count; i++)
        waitpid(workers[i].pid, NULL, 0);
    _exit(0);
}

int
main(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    if (signal(SIGTERM, end) == SIG_ERR ||
        dup2(STDIN_FILENO, 3) < 0) /* 3: for the worker that starts */
        err(1, "start");
    for (;;) {
        if (arrived < departed && (departed - arrived == FLIGHTS || poll(&input, 1, 0) == 0)) {
            arrive();
            continue;
        }
        if (!lines_read(command))
            break;
        if (flights[departed % FLIGHTS].questions > 0)
            depart();
    }
    all_arrive();
    end(0);
}

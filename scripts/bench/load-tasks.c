/* load-tasks.c: measures how late the end of a task is noticed. */
#include "load.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct task {
    pid_t driver;
    bool answered, running; /* according to its reply and to the log */
    int64_t written_ns;     /* just before the command was written; on CLOCK_REALTIME */
    int64_t started_ns;     /* when the server logged its start; on CLOCK_REALTIME */
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

/* Gives the driver its next task, if the last one has ended and its reply has been read. */
static void
task_next(struct tasks *all, struct task *task)
{
    if (task->answered && !task->running && all->given < all->wanted)
        task_give(all, task);
}

/* Reads a line of the log. The log is a datagram socket, and the kernel adds the time when a line
 * was sent. That is the time when the server knew, however late we read the line. */
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

void
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

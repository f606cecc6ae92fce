/*
 * driver: one worker. The server starts it at the other end of a socketpair (descriptor 3), gives
 * it at most one task at a time, and asks how it stands. A task keeps it busy for a number of
 * milliseconds, measured by a timerfd; or it is a command, which has that long at the most.
 *
 * A command runs in a session, and so in a process group, of its own. At its limit, or if it is
 * cancelled, its group is asked to end (TERM), and after a grace it is killed. When it has ended,
 * what it has left behind is killed: as a subreaper the driver is, sooner or later, the parent of
 * all that is left. Only when there is nothing any more is its result told.
 *
 * It waits in epoll_wait() and nowhere else, for three sources: its socket, its signalfd and its
 * timerfd. All signals but those of a fault are blocked from before its exec on, and read from the
 * signalfd; there is no handler. It allocates nothing and uses no stdio: ten thousand of them may
 * be waiting.
 *
 * It leaves, with status 0, when it is told to (EXIT), politely asked to (SIGTERM), or when the
 * server is gone (the end of its socket, or another parent); it then ends its task, says so, and
 * exits.
 */
#include "proto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- limits -------------------------------------------------------------------------------- */

enum {
    /* Requests are read, and answers sent, this many bytes at a time: what a server that pipelines
     * has sent by the time we run. Pages of it that are never used cost nothing. */
    INPUT_SIZE = 32 * 1024,
    OUTPUT_SIZE = 32 * 1024,
    /* One request adds at most two frames to the output (the END of a task, its own STATE), and
     * the timer one more; with less room than that, no request is handled. */
    OUTPUT_RESERVE = 3 * PROTO_FRAME_MAX,
    LOG_LINE_MAX = 256, /* below PIPE_BUF: a line is written whole or not at all */
    SOURCES = 3,        /* all that epoll can report in one turn */
    /* For the way to a command's exec: execvp() has there a path and, for a script, the words
     * again. */
    CHILD_STACK_SIZE = 64 * 1024,
    WORDS_MAX = PROTO_TEXT_MAX / 2 + 1,
    LOOK_AGAIN_MS = 10, /* whether what was killed is gone */
    /* Told to exit, we are killed after the grace: a command is so much earlier, or a quarter of
     * it. */
    EXIT_MARGIN_MS = 250,
    LOST_MS = 500, /* to end a command when the server is gone, before we leave in any case */
};

#define NS_PER_MS UINT64_C(1000000)

/* ---- types and state ----------------------------------------------------------------------- */

/* A descriptor in the epoll set and what to do when it is ready. */
struct source {
    int fd;
    uint32_t events; /* what epoll watches it for */
    void (*ready)(uint32_t events);
};

enum command_stage {
    COMMAND_RUNS,
    COMMAND_TERMINATED, /* its group was sent TERM, and has its grace */
    COMMAND_KILLED,     /* what there is of it was sent KILL */
};

/* The command that runs. */
struct command {
    pid_t pid; /* of the process that we have started, which leads a session; 0: none runs */
    enum command_stage stage;
    enum proto_outcome outcome; /* if it is our doing; else 0, and the status tells */
    bool reaped;                /* that process has ended: */
    int status;                 /* so, and with that usage, wait4(2) */
    struct rusage usage;
    uint64_t started_ns;
    uint64_t grace_ns;
    uint64_t output;                /* see struct proto_run */
    char line[PROTO_TEXT_MAX + 1];  /* as the shell gets it */
    char words[PROTO_TEXT_MAX + 1]; /* and, if it needs none, taken apart, */
    char *word_list[WORDS_MAX + 1]; /* with a NULL at the end; the first NULL: it needs one */
};

static struct {
    int epoll_fd;
    struct source socket; /* PROTO_FD; fd -1: the server is gone */
    struct source signals;
    struct source timer; /* armed just while busy */

    pid_t pid, server_pid;
    const char *output_directory; /* NULL: none */
    bool leave_wanted;            /* when the command has ended */
    bool leaving;                 /* the loop ends with this turn */
    int exit_status;
    uint64_t lost_ns; /* when the server was found to be gone */

    bool busy;
    uint32_t task_id;     /* the number of the TASK or RUN */
    uint64_t task_end_ns; /* on CLOCK_MONOTONIC; of a command, when the next stage begins */

    /* What is written early comes first, and the large rest last, of which no page is touched
     * before it is needed. */
    size_t input_size;  /* bytes not handled yet */
    size_t output_size; /* bytes not sent yet */
    unsigned char output[OUTPUT_SIZE];
    unsigned char input[INPUT_SIZE];
    struct command command;
} self;

/* ---- log ----------------------------------------------------------------------------------- */

/* Appends to a line, of which there are size bytes; what is beyond max - 1 bytes is left out. */
static size_t
text_append(char *line, size_t size, size_t max, const char *text)
{
    while (*text != '\0' && size < max - 1)
        line[size++] = *text++;
    return size;
}

static size_t
number_append(char *line, size_t size, size_t max, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return text_append(line, size, max, digits + at);
}

/*
 * Writes to standard error without ever blocking and without O_NONBLOCK on it, which the server
 * and its caller share: a pipe or terminal is opened anew (proc(5), /proc/[pid]/fd). What cannot
 * be written at once is lost.
 */
static void
log_write(const char *line, size_t size)
{
    struct stat status;
    ssize_t written = -1;

    if (fstat(STDERR_FILENO, &status) < 0)
        return;
    if (S_ISSOCK(status.st_mode)) {
        written = send(STDERR_FILENO, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            written = write(fd, line, size);
            close(fd);
        }
    } else {
        written = write(STDERR_FILENO, line, size);
    }
    (void)written;
}

/* One line, "driver[PID]: what", and the system's reason unless error is 0. */
static void
log_line(const char *what, int error)
{
    char line[LOG_LINE_MAX];
    size_t size = text_append(line, 0, sizeof(line), "driver[");

    size = number_append(line, size, sizeof(line), (uint64_t)getpid());
    size = text_append(line, size, sizeof(line), "]: ");
    size = text_append(line, size, sizeof(line), what);
    if (error != 0) {
        size = text_append(line, size, sizeof(line), ": ");
        size = text_append(line, size, sizeof(line), strerror(error));
    }
    line[size++] = '\n';
    log_write(line, size);
}

/* Something that a driver cannot do without has failed: it costs this driver. */
static void
leave_failed(const char *what, int error)
{
    log_line(what, error);
    self.exit_status = EXIT_FAILURE;
    self.leaving = true;
}

/* ---- source -------------------------------------------------------------------------------- */

/* Watches the source for these events (EPOLLIN, EPOLLOUT). Returns false on failure, see errno. */
static bool
source_watch(struct source *source, uint32_t events)
{
    /* This event registers one source, and is zeroed so that no byte of an earlier registration
     * is left in its union. The array in main() receives events: a different thing. */
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (source->events == events)
        return true;
    int operation = source->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(self.epoll_fd, operation, source->fd, &event) < 0)
        return false;
    source->events = events;
    return true;
}

/* ---- frame ---------------------------------------------------------------------------------- */

static void
output_append(const void *data, size_t size)
{
    assert(self.output_size + size <= sizeof(self.output));
    memcpy(self.output + self.output_size, data, size);
    self.output_size += size;
}

static void
frame_put(const struct proto_frame *frame)
{
    output_append(frame, proto_size(frame));
}

/* ---- time ---------------------------------------------------------------------------------- */

static uint64_t
clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock, clock_gettime(2) */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Arms the timer for that moment of CLOCK_MONOTONIC; 0 disarms it, timerfd_settime(2). */
static bool
timer_set(uint64_t at_ns)
{
    struct itimerspec at = {
        .it_value.tv_sec = (time_t)(at_ns / 1000000000),
        .it_value.tv_nsec = (long)(at_ns % 1000000000),
    };

    return timerfd_settime(self.timer.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0;
}

/* A busy driver looks at its task again at that moment. */
static void
task_look_at(uint64_t at_ns)
{
    self.task_end_ns = at_ns;
    if (!timer_set(at_ns))
        leave_failed("cannot arm the timer", errno);
}

/* ---- children ------------------------------------------------------------------------------ */

/* Sends a child a signal, and the process group that it is in, all of which descends from it or
 * from our command; it may change its group between our look and the kill. Returns whether the
 * child is of a command: one that is in our session was there before us, and is none of our
 * business. It is not reaped, so the pid is its own. */
static bool
child_signal(pid_t pid, int number)
{
    if (getsid(pid) == getsid(0))
        return false;
    pid_t group = getpgid(pid);
    if (number != SIGKILL && group == self.command.pid)
        return true; /* see children_terminate() */
    if (group > 0)
        kill(-group, number);
    if (number == SIGKILL)
        kill(pid, number);
    return true;
}

/*
 * Sends a signal to what a command has left, and to the process groups of our children: what they
 * leave in turn becomes ours, and is found the next time. Returns whether there was any, or may
 * have been. The descriptor for it is that of our standard output, which we do not use: there may
 * be no other.
 */
static bool
children_signal(int number)
{
    char text[1024];
    pid_t pid = 0;
    ssize_t n;
    bool found = false;

    close(STDOUT_FILENO);
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    int error = errno;
    if (fd < 0)
        dup2(STDIN_FILENO, STDOUT_FILENO);
    if (fd < 0 && error == ENOENT) /* there is no /proc: the command's own group has to do */
        return kill(-self.command.pid, number) == 0;
    if (fd < 0)
        return true;
    /* Numbers, each with a blank behind it, proc(5). */
    while ((n = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid > 0) {
                found |= child_signal(pid, number);
                pid = 0;
            }
        }
    }
    if (fd != STDOUT_FILENO)
        close(fd);
    dup2(STDIN_FILENO, STDOUT_FILENO); /* both are /dev/null */
    return found || n < 0;
}

/* ---- command: its end ---------------------------------------------------------------------- */

static uint64_t
microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* Nothing is left of the command. */
static void
command_end(uint64_t now_ns)
{
    struct command *command = &self.command;
    bool exited = WIFEXITED(command->status);
    struct proto_header header = proto_header(PROTO_FROM_DRIVER, PROTO_RESULT, self.task_id);
    struct proto_result result = {
        .outcome = command->outcome,
        .elapsed_us = (now_ns - command->started_ns) / 1000,
        .user_us = microseconds(&command->usage.ru_utime),
        .system_us = microseconds(&command->usage.ru_stime),
        .maxrss_kb = (uint64_t)command->usage.ru_maxrss,
    };

    if (command->outcome == 0) {
        result.outcome = exited ? PROTO_EXITED : PROTO_SIGNALLED;
        result.status =
            (uint32_t)(exited ? WEXITSTATUS(command->status) : WTERMSIG(command->status));
    }
    command->pid = 0;
    self.busy = false;
    output_append(&header, sizeof(header));
    output_append(&result, sizeof(result));
    if (!timer_set(0))
        leave_failed("cannot disarm the timer", errno);
    if (self.leave_wanted)
        self.leaving = true;
}

/* Kills what there is of the command, and looks again a moment later. */
static void
command_kill(uint64_t now_ns)
{
    struct command *command = &self.command;

    command->stage = COMMAND_KILLED;
    if (!command->reaped)
        kill(-command->pid, SIGKILL);
    bool found = children_signal(SIGKILL);
    if (command->reaped && !found)
        command_end(now_ns);
    else if (self.socket.fd < 0 && now_ns >= self.lost_ns + LOST_MS * NS_PER_MS)
        self.leaving = true;
    else
        task_look_at(now_ns + LOOK_AGAIN_MS * NS_PER_MS);
}

/* Asks what a command has started outside of its process group to end, also what is stopped. The
 * group itself has been asked. */
static void
children_terminate(void)
{
    children_signal(SIGTERM);
    children_signal(SIGCONT);
}

/* A child that is dead, with its status and usage; 0: there is none, -1: there are no children. */
static pid_t
child_reap(int *status, struct rusage *usage)
{
    pid_t pid;

    while ((pid = wait4(-1, status, WNOHANG, usage)) < 0 && errno == EINTR)
        ;
    return pid;
}

/* Reaps all children that are dead: the command, what it has left, and strangers. */
static void
children_reap(uint64_t now_ns)
{
    struct command *command = &self.command;
    struct rusage usage;
    int status;
    pid_t pid;
    bool ended = false;

    while ((pid = child_reap(&status, &usage)) > 0) {
        if (pid == command->pid && !command->reaped) {
            command->reaped = ended = true;
            command->status = status;
            command->usage = usage;
        }
    }
    if (command->pid == 0 || !command->reaped)
        return;
    if (pid < 0)
        command_end(now_ns);
    else if (command->stage != COMMAND_TERMINATED)
        command_kill(now_ns);
    else if (ended) /* the others have their grace, too */
        children_terminate();
}

/* Asks the command to end, also one that is stopped; it is killed after the grace. */
static void
command_terminate(enum proto_outcome outcome, uint64_t now_ns)
{
    struct command *command = &self.command;

    children_reap(now_ns); /* it may have ended before, and we have not seen that yet */
    if (command->pid == 0 || command->stage != COMMAND_RUNS)
        return;
    command->stage = COMMAND_TERMINATED;
    command->outcome = outcome;
    kill(-command->pid, SIGTERM);
    kill(-command->pid, SIGCONT);
    children_terminate();
    task_look_at(now_ns + command->grace_ns);
}

/* The moment that the command was to be looked at has come. */
static void
command_time_over(uint64_t now_ns)
{
    children_reap(now_ns);
    if (self.command.pid == 0 || now_ns < self.task_end_ns)
        return;
    if (self.command.stage == COMMAND_RUNS)
        command_terminate(PROTO_TIMED_OUT, now_ns);
    else
        command_kill(now_ns);
}

/* ---- leaving ------------------------------------------------------------------------------- */

/* Leaves, once the command has ended, if there is one: that has less than the grace, after which we
 * are killed. */
static void
leave(void)
{
    uint64_t now_ns = clock_ns();

    self.leave_wanted = true;
    if (self.command.pid == 0) {
        self.leaving = true;
        return;
    }
    uint64_t grace_ns = self.command.grace_ns, margin_ns = EXIT_MARGIN_MS * NS_PER_MS;
    uint64_t end_ns = now_ns + grace_ns - (margin_ns < grace_ns / 4 ? margin_ns : grace_ns / 4);
    command_terminate(PROTO_CANCELLED, now_ns);
    if (self.busy && end_ns < self.task_end_ns)
        task_look_at(end_ns);
}

/* The server has gone, and with it its end of the socket. A command is killed at once. */
static void
server_lost(void)
{
    if (self.socket.fd < 0)
        return;
    close(self.socket.fd);
    self.socket.fd = -1;
    self.output_size = 0;
    self.leave_wanted = true;
    self.lost_ns = clock_ns();
    if (self.command.pid == 0) {
        self.leaving = true;
        return;
    }
    if (self.command.stage == COMMAND_RUNS)
        self.command.outcome = PROTO_CANCELLED;
    command_kill(self.lost_ns);
}

/* ---- command: its start -------------------------------------------------------------------- */

/* Whether the shell would do more with the line than take it apart at blanks and run the first
 * word. */
static bool
line_needs_shell(const char *line)
{
    size_t first = strspn(line, " \t");

    return strpbrk(line, "#;\"'*?[]&|<>(){}$`^~!\\") != NULL ||
           memchr(line + first, '=', strcspn(line + first, " \t")) != NULL;
}

/* Takes the line apart into words; none if a shell has to. */
static void
command_words(struct command *command)
{
    size_t count = 0;

    if (!line_needs_shell(command->line)) {
        strcpy(command->words, command->line);
        for (char *word = command->words; *(word += strspn(word, " \t")) != '\0';) {
            command->word_list[count++] = word;
            word += strcspn(word, " \t");
            if (*word != '\0')
                *word++ = '\0';
        }
    }
    command->word_list[count] = NULL;
}

/* Has a descriptor write to a file for the command's output, DIRECTORY/NUMBER and the suffix. */
static bool
output_redirect(int fd, const char *suffix)
{
    static char path[PATH_MAX];
    size_t size = text_append(path, 0, sizeof(path), self.output_directory);

    size = text_append(path, size, sizeof(path), "/");
    size = number_append(path, size, sizeof(path), self.command.output);
    size = text_append(path, size, sizeof(path), suffix);
    path[size] = '\0';
    /* A FIFO that is in the way must not make us wait for its reader; but the command may. */
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    return file >= 0 && fcntl(file, F_SETFL, 0) == 0 && dup2(file, fd) >= 0;
}

/* Where the command writes to: our standard error, or files. */
static bool
output_prepare(void)
{
    if (self.command.output == 0)
        return dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
    return output_redirect(STDOUT_FILENO, ".out") && output_redirect(STDERR_FILENO, ".err");
}

/*
 * Runs in the child, on a stack of its own but in our memory, while we wait for the exec (CLONE_VM,
 * CLONE_VFORK). The dispositions are all default, as ours are, standard input is /dev/null, as ours
 * is, and all descriptors above 2 close at the exec. Our death is the command's: what the kernel
 * sends for it reaches this process alone, but the server finds the others.
 */
static int
command_child(void *error)
{
    static const sigset_t none;
    char **words = self.command.word_list;
    char *shell[] = {"sh", "-c", "--", self.command.line, NULL};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self.pid || setsid() < 0 ||
        !output_prepare() || syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, _NSIG / 8) < 0)
        goto failed;
    if (words[0] != NULL) {
        execvp(words[0], words);
        /* A name that is not found may be one that the shell itself knows, and a file without a
         * format may be its script. The error of a name is that of the last directory in PATH. */
        if (errno != ENOEXEC &&
            (strchr(words[0], '/') != NULL || errno == E2BIG || errno == ENOMEM))
            goto failed;
    }
    execv("/bin/sh", shell);
failed:
    *(int *)error = errno;
    return 127;
}

/* Starts the command that a RUN, decoded from data, tells of. Returns 0 or an errno. */
static int
command_start(const struct proto_frame *request, const void *data, uint64_t now_ns)
{
    static _Alignas(max_align_t) char stack[CHILD_STACK_SIZE];
    struct command *command = &self.command;
    struct proto_run run = proto_run(data);
    size_t size;
    const char *text = proto_text(data, request, &size);
    int error = 0;

    if (run.output != 0 && self.output_directory == NULL)
        return EINVAL;
    memcpy(command->line, text, size);
    command->line[size] = '\0';
    command_words(command);
    command->output = run.output;
    command->grace_ns = run.grace_ms * NS_PER_MS;
    command->stage = COMMAND_RUNS;
    command->outcome = 0;
    command->reaped = false;
    command->started_ns = clock_ns();
    pid_t pid =
        clone(command_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &error);
    if (pid < 0)
        return errno;
    if (error != 0)
        return error; /* the child is dead, and is reaped as any stranger is */
    command->pid = pid;
    self.task_id = request->header.id;
    self.busy = true;
    task_look_at(now_ns + run.limit_ms * NS_PER_MS);
    return 0;
}

/* ---- output -------------------------------------------------------------------------------- */

/* Sends what is there. Returns true if all of it is out; else the rest waits for EPOLLOUT. */
static bool
output_flush(void)
{
    size_t sent = 0;

    while (sent < self.output_size && self.socket.fd >= 0) {
        ssize_t n = send(self.socket.fd, self.output + sent, self.output_size - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            server_lost();
            return true; /* nobody is left to hear the rest */
        }
    }
    self.output_size -= sent;
    memmove(self.output, self.output + sent, self.output_size);
    return self.output_size == 0;
}

/* ---- task ---------------------------------------------------------------------------------- */

static bool
task_start(uint32_t id, uint64_t duration_ms, uint64_t now_ns)
{
    self.task_id = id;
    self.task_end_ns = now_ns + duration_ms * NS_PER_MS;
    self.busy = timer_set(self.task_end_ns);
    return self.busy;
}

/* Ends the task and tells the server, who so learns who is free. */
static void
task_end(enum proto_outcome outcome)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_END, 0),
        .end.outcome = outcome,
    };

    assert(self.busy);
    self.busy = false;
    frame_put(&frame);
}

/* A task whose time is over has ended, whether or not the timer's event was seen yet: so no
 * answer ever says "busy, 0 left". */
static void
task_check(uint64_t now_ns)
{
    if (!self.busy || now_ns < self.task_end_ns)
        return;
    if (self.command.pid != 0)
        command_time_over(now_ns);
    else
        task_end(PROTO_DONE);
}

/* Of a task, drops the event of a timer that is not wanted any more; one that starts arms it
 * anew. */
static void
task_cancel(uint64_t now_ns)
{
    if (self.command.pid != 0) {
        command_terminate(PROTO_CANCELLED, now_ns);
        return;
    }
    task_end(PROTO_CANCELLED);
    if (!timer_set(0))
        leave_failed("cannot disarm the timer", errno);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void
answer(uint32_t id, enum proto_refusal refusal, uint32_t value, uint64_t now_ns)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_STATE, id),
        .state.busy = self.busy,
        .state.refusal = (uint8_t)refusal,
        .state.value = value,
    };

    if (self.busy)
        frame.state.remaining_ms = (self.task_end_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    frame_put(&frame);
}

static void
run_handle(const struct proto_frame *request, const void *data, uint64_t now_ns)
{
    uint32_t id = request->header.id;

    if (now_ns >= proto_run(data).expires_ns) {
        answer(id, PROTO_REFUSED_LATE, 0, now_ns);
    } else if (self.busy) {
        answer(id, PROTO_REFUSED_BUSY, 0, now_ns);
    } else {
        int error = command_start(request, data, now_ns);
        if (error == 0)
            answer(id, PROTO_OK, (uint32_t)self.command.pid, now_ns);
        else
            answer(id, PROTO_REFUSED_EXEC, (uint32_t)error, now_ns);
    }
}

/* Handles the request that was decoded from data. */
static void
request_handle(const struct proto_frame *request, const void *data, uint64_t now_ns)
{
    uint32_t id = request->header.id;

    task_check(now_ns);
    switch (request->header.type) {
    case PROTO_TASK:
        if (now_ns >= request->task.expires_ns)
            answer(id, PROTO_REFUSED_LATE, 0, now_ns);
        else if (self.busy)
            answer(id, PROTO_REFUSED_BUSY, 0, now_ns);
        else if (task_start(id, request->task.duration_ms, now_ns))
            answer(id, PROTO_OK, 0, now_ns);
        else
            leave_failed("cannot arm the timer", errno);
        break;
    case PROTO_RUN:
        run_handle(request, data, now_ns);
        break;
    case PROTO_CANCEL:
        if (self.busy &&
            (request->cancel.task_id == 0 || request->cancel.task_id == self.task_id)) {
            task_cancel(now_ns);
            answer(id, PROTO_OK, 0, now_ns);
        } else {
            answer(id, PROTO_REFUSED_FREE, 0, now_ns);
        }
        break;
    case PROTO_STATUS:
        answer(id, PROTO_OK, 0, now_ns);
        break;
    case PROTO_EXIT:
        leave();
        break;
    }
}

/*
 * Handles the requests that have come in whole, as long as there is room for the answers. Returns
 * true if it stopped for lack of room.
 */
static bool
requests_handle(void)
{
    struct proto_frame request;
    enum proto_verdict verdict = PROTO_INCOMPLETE;
    size_t done = 0;
    uint64_t now_ns = clock_ns(); /* serves the batch: nothing here waits but a RUN, for its exec */
    bool room = true;

    while (!self.leaving && (room = sizeof(self.output) - self.output_size >= OUTPUT_RESERVE)) {
        const unsigned char *data = self.input + done;
        verdict = proto_decode(PROTO_FROM_SERVER, data, self.input_size - done, &request);
        if (verdict != PROTO_COMPLETE)
            break;
        if (request.header.type == PROTO_RUN)
            now_ns = clock_ns();
        request_handle(&request, data, now_ns);
        done += proto_size(&request);
    }
    if (verdict > PROTO_INCOMPLETE)
        leave_failed("the server broke the protocol", 0);
    self.input_size -= done;
    memmove(self.input, self.input + done, self.input_size);
    return !room;
}

/* ---- events -------------------------------------------------------------------------------- */

/* Handles what was read and sends the answers. A server that does not read them is not read from:
 * that bounds what we hold. */
static void
socket_work(void)
{
    bool more = true;

    while (more && !self.leaving && self.socket.fd >= 0) {
        more = requests_handle();
        if (!output_flush())
            more = false;
    }
    if (!self.leaving && self.socket.fd >= 0 &&
        !source_watch(&self.socket, self.output_size > 0 ? EPOLLOUT : EPOLLIN))
        leave_failed("cannot watch the socket", errno);
}

static void
socket_ready(uint32_t events)
{
    if (self.output_size == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        ssize_t n = recv(self.socket.fd, self.input + self.input_size,
                         sizeof(self.input) - self.input_size, MSG_DONTWAIT);
        if (n > 0)
            self.input_size += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            server_lost();
    }
    socket_work();
}

static void
signal_handle(uint32_t number)
{
    switch (number) {
    case SIGTERM:
        leave();
        break;
    case SIGCONT:
        /* The kernel sends it when the server has died. The end of the socket says so, too,
         * unless a child that was stopped on its way to its exec still holds the other side. */
        if (getppid() != self.server_pid)
            server_lost();
        break;
    case SIGCHLD:
        children_reap(clock_ns());
        break;
    }
}

static void
signals_ready(uint32_t events)
{
    struct signalfd_siginfo signals[8]; /* more have the next turn: a flood holds up nothing */
    ssize_t n = read(self.signals.fd, signals, sizeof(signals));

    (void)events;
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(signals[0]); i++)
        signal_handle(signals[i].ssi_signo);
    socket_work();
}

static void
timer_ready(uint32_t events)
{
    uint64_t expirations;

    (void)events;
    if (read(self.timer.fd, &expirations, sizeof(expirations)) < 0)
        return; /* disarmed or set anew since epoll reported it */
    task_check(clock_ns());
    socket_work();
}

/* ---- main ---------------------------------------------------------------------------------- */

/* All signals but those that a fault in this program raises. The set is made by hand, and set by
 * the bare system call, because libc's own withhold the two signals it keeps for its threads. */
static bool
signals_block(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

    memset(set, 0xff, sizeof(*set));
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, NULL, _NSIG / 8) == 0;
}

/* Whether descriptor 3 is a socket whose other end was made by our parent, the server: SO_PEERCRED
 * of a socketpair names its maker, unix(7). */
static bool
parent_is_server(void)
{
    struct ucred maker = {.pid = 0};
    socklen_t size = sizeof(maker);

    if (getsockopt(PROTO_FD, SOL_SOCKET, SO_PEERCRED, &maker, &size) < 0)
        return false;
    self.server_pid = maker.pid;
    return maker.pid != 0 && maker.pid == getppid();
}

/* Opens what the loop waits for. Returns what failed, see errno; NULL on success. */
static const char *
sources_open(void)
{
    sigset_t set;

    if (!signals_block(&set))
        return "cannot block signals";
    self.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (self.epoll_fd < 0)
        return "cannot create an epoll set";
    self.signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self.signals.fd < 0)
        return "cannot create a signalfd";
    self.timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (self.timer.fd < 0)
        return "cannot create a timerfd";
    if (fcntl(PROTO_FD, F_SETFD, FD_CLOEXEC) < 0)
        return "cannot set up the socket";
    self.socket.fd = PROTO_FD;
    self.socket.ready = socket_ready;
    self.signals.ready = signals_ready;
    self.timer.ready = timer_ready;
    if (!source_watch(&self.socket, EPOLLIN) || !source_watch(&self.signals, EPOLLIN) ||
        !source_watch(&self.timer, EPOLLIN))
        return "cannot fill the epoll set";
    /* When the server dies, SIGKILL would deny us the time to end the task, and any other signal
     * would not wake us if we are stopped: SIGCONT does, blocked or not. */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT) < 0)
        return "cannot ask for a signal when the server dies";
    /* A worker needs no privilege that it was not started with. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return "cannot give up new privileges";
    /* What a command leaves becomes our child, not that of process 1. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return "cannot become a subreaper";
    return NULL;
}

static void
hello(void)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_HELLO, 0),
        .hello.pid = (uint32_t)getpid(),
    };

    frame_put(&frame);
    socket_work();
}

/* The first argument, if there is one, is a directory for the output of commands. */
int
main(int argc, char **argv)
{
    struct epoll_event events[SOURCES]; /* receives what is ready, see source_watch() */

    self.pid = getpid();
    self.output_directory = argc > 1 ? argv[1] : NULL;
    if (!parent_is_server()) {
        log_line("started by the server, not by hand: run ./server and say create_driver", 0);
        return 2;
    }
    const char *failed = sources_open();
    if (failed != NULL)
        leave_failed(failed, errno);
    else
        hello();
    while (!self.leaving) {
        int n = epoll_wait(self.epoll_fd, events, SOURCES, -1);
        if (n < 0 && errno != EINTR)
            leave_failed("cannot wait for events", errno);
        for (int i = 0; i < n && !self.leaving; i++) {
            struct source *source = events[i].data.ptr;
            if (source->fd >= 0)
                source->ready(events[i].events);
        }
    }
    task_check(clock_ns());
    if (self.command.pid != 0)
        children_signal(SIGKILL); /* something else has failed; the server reaps them */
    else if (self.busy)
        task_end(PROTO_CANCELLED);
    output_flush();
    return self.exit_status;
}

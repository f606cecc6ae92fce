/*
 * driver: one worker. The server starts it at the other end of a socketpair (descriptor 3), gives
 * it at most one task at a time, and asks how it stands. A task keeps it busy for a number of
 * milliseconds, measured by a timerfd.
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
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
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
};

/* ---- types and state ----------------------------------------------------------------------- */

/* A descriptor in the epoll set and what to do when it is ready. */
struct source {
    int fd;
    uint32_t events; /* what epoll watches it for */
    void (*ready)(uint32_t events);
};

static struct {
    int epoll_fd;
    struct source socket; /* PROTO_FD */
    struct source signals;
    struct source timer; /* armed just while busy */

    pid_t server_pid;
    bool leaving; /* the loop ends with this turn */
    int exit_status;

    bool busy;
    uint32_t task_id;     /* the TASK's number */
    uint64_t task_end_ns; /* on CLOCK_MONOTONIC */

    unsigned char input[INPUT_SIZE];
    size_t input_size; /* bytes not handled yet */
    unsigned char output[OUTPUT_SIZE];
    size_t output_size; /* bytes not sent yet */
} self;

/* ---- log ----------------------------------------------------------------------------------- */

static size_t
text_append(char *line, size_t size, const char *text)
{
    while (*text != '\0' && size < LOG_LINE_MAX - 1)
        line[size++] = *text++;
    return size;
}

static size_t
number_append(char *line, size_t size, unsigned long number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return text_append(line, size, digits + at);
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
    size_t size = text_append(line, 0, "driver[");

    size = number_append(line, size, (unsigned long)getpid());
    size = text_append(line, size, "]: ");
    size = text_append(line, size, what);
    if (error != 0) {
        size = text_append(line, size, ": ");
        size = text_append(line, size, strerror(error));
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

/* ---- output -------------------------------------------------------------------------------- */

static void
frame_put(const struct proto_frame *frame)
{
    assert(self.output_size + sizeof(*frame) <= sizeof(self.output));
    memcpy(self.output + self.output_size, frame, sizeof(*frame)); /* a fixed size is faster */
    self.output_size += proto_size(frame);
}

/* Sends what is there. Returns true if all of it is out; else the rest waits for EPOLLOUT. */
static bool
output_flush(void)
{
    size_t sent = 0;

    while (sent < self.output_size) {
        ssize_t n = send(self.socket.fd, self.output + sent, self.output_size - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            /* The server has gone, then: its end of the socket will say so. Nobody is left to
             * hear the rest. */
            self.leaving = true;
            return false;
        }
    }
    self.output_size -= sent;
    memmove(self.output, self.output + sent, self.output_size);
    return self.output_size == 0;
}

/* ---- task ---------------------------------------------------------------------------------- */

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

static bool
task_start(uint32_t id, uint64_t duration_ms, uint64_t now_ns)
{
    self.task_id = id;
    self.task_end_ns = now_ns + duration_ms * 1000000;
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
    if (self.busy && now_ns >= self.task_end_ns)
        task_end(PROTO_DONE);
}

/* Drops the event of a timer that is not wanted any more; a task that starts arms it anew. */
static void
task_cancel(void)
{
    task_end(PROTO_CANCELLED);
    if (!timer_set(0))
        leave_failed("cannot disarm the timer", errno);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void
answer(uint32_t id, enum proto_refusal refusal, uint64_t now_ns)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_STATE, id),
        .state.busy = self.busy,
        .state.refusal = (uint8_t)refusal,
    };

    if (self.busy)
        frame.state.remaining_ms = (self.task_end_ns - now_ns + 999999) / 1000000;
    frame_put(&frame);
}

static void
request_handle(const struct proto_frame *request, uint64_t now_ns)
{
    uint32_t id = request->header.id;

    task_check(now_ns);
    switch (request->header.type) {
    case PROTO_TASK:
        if (now_ns >= request->task.expires_ns)
            answer(id, PROTO_REFUSED_LATE, now_ns);
        else if (self.busy)
            answer(id, PROTO_REFUSED_BUSY, now_ns);
        else if (task_start(id, request->task.duration_ms, now_ns))
            answer(id, PROTO_OK, now_ns);
        else
            leave_failed("cannot arm the timer", errno);
        break;
    case PROTO_CANCEL:
        if (self.busy &&
            (request->cancel.task_id == 0 || request->cancel.task_id == self.task_id)) {
            task_cancel();
            answer(id, PROTO_OK, now_ns);
        } else {
            answer(id, PROTO_REFUSED_FREE, now_ns);
        }
        break;
    case PROTO_STATUS:
        answer(id, PROTO_OK, now_ns);
        break;
    case PROTO_EXIT:
        self.leaving = true;
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
    uint64_t now_ns = clock_ns(); /* one reading serves the batch: nothing here waits */
    bool room = true;

    while (!self.leaving && (room = sizeof(self.output) - self.output_size >= OUTPUT_RESERVE)) {
        verdict =
            proto_decode(PROTO_FROM_SERVER, self.input + done, self.input_size - done, &request);
        if (verdict != PROTO_COMPLETE)
            break;
        request_handle(&request, now_ns);
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

    while (more && !self.leaving) {
        more = requests_handle();
        if (!output_flush())
            more = false;
    }
    if (!self.leaving && !source_watch(&self.socket, self.output_size > 0 ? EPOLLOUT : EPOLLIN))
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
            self.leaving = true; /* the server is gone */
    }
    socket_work();
}

static void
signals_ready(uint32_t events)
{
    struct signalfd_siginfo signal;

    (void)events;
    while (read(self.signals.fd, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        /* The kernel sends SIGCONT when the server has died. The end of the socket says so, too,
         * unless a child that was stopped on its way to its exec still holds the other side. */
        if (signal.ssi_signo == SIGTERM ||
            (signal.ssi_signo == SIGCONT && getppid() != self.server_pid))
            self.leaving = true;
    }
}

static void
timer_ready(uint32_t events)
{
    uint64_t expirations;

    (void)events;
    if (read(self.timer.fd, &expirations, sizeof(expirations)) < 0)
        return; /* disarmed or set anew since epoll reported it */
    if (self.busy)
        task_end(PROTO_DONE);
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

int
main(void)
{
    struct epoll_event events[SOURCES]; /* receives what is ready, see source_watch() */

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
            source->ready(events[i].events);
        }
    }
    task_check(clock_ns());
    if (self.busy)
        task_end(PROTO_CANCELLED);
    output_flush();
    return self.exit_status;
}

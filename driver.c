/*
 * driver: one worker. The server starts it at the other end of a socketpair (descriptor 3), gives
 * it at most one task at a time, and asks for its state. A task keeps it busy for a number of
 * milliseconds, which a timerfd measures. A task can also be a job, i.e. a shell command, which has
 * at most that long; lib/job_tree.h says how it ends.
 *
 * The driver waits in sources_wait() and nowhere else, for three sources: its socket, its signalfd
 * and its timerfd. All signals but those of a fault are blocked even before its exec, and read from
 * the signalfd; there is no handler. It allocates nothing and uses no stdio, because ten thousand
 * drivers may be waiting.
 *
 * It leaves when the server tells it to (EXIT), when it is asked to (SIGTERM), and when the server
 * is gone (the end of its socket, or another parent). It then ends its task, reports that, and
 * exits with status 0.
 */
#include "proto.h"

#include "lib/clock.h"
#include "lib/driver_log.h"
#include "lib/job_tree.h"
#include "lib/link.h"
#include "lib/signals.h"
#include "lib/source.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SIGNALS_PER_TURN = 8, /* more wait for the next turn: a flood of them holds up nothing */
    /* A driver that is told to exit is killed after the grace period. It kills its own job this
     * much earlier, or a quarter of the grace period earlier if that is less. */
    EXIT_MARGIN_MS = 250,
    LOST_MS = 500, /* how long we stay for the end of a job when the server is gone */
};

/* What keeps the driver busy. */
enum work {
    FREE,
    ON_TASK,
    ON_JOB,
};

/* How long it stays. */
enum stay {
    STAYS,
    STAYS_FOR_JOB, /* leaves when the job has ended; only while ON_JOB */
    LEAVES,        /* the loop ends with this turn, in which nothing more is handled */
};

static struct {
    struct source signals;
    struct source timer; /* armed just while busy */
    pid_t server_pid;
    const char *output_directory; /* for the files that take the output of jobs; NULL: none */

    enum stay stay;
    int exit_status;
    int64_t lost_ns; /* when the server was found to be gone */

    enum work work;
    uint32_t task_id;    /* the number of the TASK or RUN */
    int64_t task_end_ns; /* on CLOCK_MONOTONIC; of a job, when to look at it again */

    /* What is written early comes first and the large rest last: pages of it that are not needed
     * are never touched. */
    struct link link;
    struct job_tree job;
} self;

/* start */
static bool parent_is_server(void);
static const char *loop_open(void);
static const char *process_prepare(void);
static void hello(void);

/* the loop's three sources */
static void signals_ready(struct source *source, uint32_t events);
static void signal_handle(uint32_t number);
static void timer_ready(struct source *source, uint32_t events);
static void socket_ready(struct source *source, uint32_t events);
static void socket_work(void);

/* requests and answers */
static void requests_handle(void);
static void request_handle(const struct proto_frame *request, const void *data);
static void task_handle(const struct proto_frame *request);
static void run_handle(const struct proto_frame *request, const void *data);
static void cancel_handle(const struct proto_frame *request);
static enum proto_refusal task_refusal(uint64_t expires_ns);
static void answer(uint32_t id, enum proto_refusal refusal, uint32_t value);

/* the task, and the job */
static bool task_start(uint32_t id, uint64_t duration_ms);
static void task_check(void);
static void task_cancel(void);
static void task_end(enum proto_outcome outcome);
static int job_start(const struct proto_frame *request, const void *data);
static void job_follow(void);
static void job_report(void);
static void timer_arm(int64_t at_ns);
static void timer_disarm(void);

/* leaving */
static void leave(void);
static void leave_failed(const char *what, int error);
static void server_lost(void);

/* ---- start, and the loop ------------------------------------------------------------------- */

/* The first argument, if there is one, is a directory for the output of jobs. */
int
main(int argc, char **argv)
{
    self.output_directory = argc > 1 ? argv[1] : NULL;
    if (!parent_is_server()) {
        driver_log("started by the server, not by hand: run ./server and say create_driver", 0);
        return 2;
    }
    const char *failed = loop_open();
    if (failed == NULL)
        failed = process_prepare();
    if (failed != NULL)
        leave_failed(failed, errno);
    else
        hello();
    while (self.stay != LEAVES)
        if (!sources_wait(-1))
            leave_failed("cannot wait for events", errno);
    clock_look();
    task_check();
    if (self.work == ON_TASK)
        task_end(PROTO_CANCELLED);
    else if (self.work == ON_JOB)
        job_tree_abandon(&self.job); /* something else has failed; the server reaps them */
    link_flush(&self.link);
    return self.exit_status;
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
loop_open(void)
{
    static const char unwatched[] = "cannot fill the epoll set";
    sigset_t set;

    if (!signals_block(&set))
        return "cannot block signals";
    if (!sources_open())
        return "cannot create an epoll set";
    if (!signals_open(&self.signals, &set, signals_ready))
        return self.signals.fd < 0 ? "cannot create a signalfd" : unwatched;
    if (!timer_open(&self.timer, timer_ready))
        return self.timer.fd < 0 ? "cannot create a timerfd" : unwatched;
    if (!link_open(&self.link, socket_ready))
        return self.link.source.fd < 0 ? "cannot set up the socket" : unwatched;
    return NULL;
}

/* Sets what makes this process a worker. Returns what failed, as above. */
static const char *
process_prepare(void)
{
    /* When the server dies, SIGKILL would deny us the time to end the task, and any other signal
     * would not wake us if we are stopped: SIGCONT does, blocked or not. */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT) < 0)
        return "cannot ask for a signal when the server dies";
    /* A worker needs no privilege that it was not started with. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return "cannot give up new privileges";
    /* What a job leaves becomes our child, not that of process 1. */
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

    link_put(&self.link, &frame, proto_size(&frame));
    socket_work();
}

/* ---- signals and the timer ----------------------------------------------------------------- */

/* A turn goes on when the driver has decided to leave, but its handlers then do nothing. */
static void
signals_ready(struct source *source, uint32_t events)
{
    struct signalfd_siginfo infos[SIGNALS_PER_TURN];

    (void)events;
    if (self.stay == LEAVES)
        return;
    int count = signals_read(source, infos, SIGNALS_PER_TURN);
    for (int i = 0; i < count; i++)
        signal_handle(infos[i].ssi_signo);
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
        job_tree_reap(&self.job);
        job_follow();
        break;
    }
}

static void
timer_ready(struct source *source, uint32_t events)
{
    (void)events;
    if (self.stay == LEAVES || !timer_take(source))
        return;
    clock_look(); /* the timer may have been set, and have expired, since this turn began */
    task_check();
    socket_work();
}

/* ---- the socket ---------------------------------------------------------------------------- */

static void
socket_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    if (self.stay == LEAVES)
        return;
    if (!link_receive(&self.link))
        server_lost();
    clock_look(); /* we may have been stopped: a request may have come since, and expired */
    socket_work();
}

/* Handles what was read and sends the answers, and what else there is to tell. */
static void
socket_work(void)
{
    bool more = true;

    while (more && self.stay != LEAVES && self.link.source.fd >= 0) {
        requests_handle();
        more = link_is_full(&self.link);
        if (!link_flush(&self.link))
            server_lost();
        if (self.link.output_size > 0)
            more = false;
    }
    if (self.stay != LEAVES && self.link.source.fd >= 0 && !link_watch(&self.link))
        leave_failed("cannot watch the socket", errno);
}

/* ---- requests ------------------------------------------------------------------------------ */

/* Handles the requests that have come in whole, as long as there is room for the answers. */
static void
requests_handle(void)
{
    struct proto_frame request;
    const void *data;
    enum proto_verdict verdict = PROTO_INCOMPLETE;

    while (self.stay != LEAVES &&
           (verdict = link_next(&self.link, &request, &data)) == PROTO_COMPLETE)
        request_handle(&request, data);
    if (verdict > PROTO_INCOMPLETE)
        leave_failed("the server broke the protocol", 0);
}

/* Handles the request that was decoded from data. The requests of a turn share one look at the
 * clock, except that a RUN must not begin if it has expired, and that its exec takes time. */
static void
request_handle(const struct proto_frame *request, const void *data)
{
    enum proto_type type = request->header.type;

    if (type == PROTO_RUN)
        clock_look();
    task_check();
    switch (type) {
    case PROTO_TASK:
        task_handle(request);
        break;
    case PROTO_RUN:
        run_handle(request, data);
        clock_look();
        break;
    case PROTO_CANCEL:
        cancel_handle(request);
        break;
    case PROTO_STATUS:
        answer(request->header.id, PROTO_OK, 0);
        break;
    case PROTO_EXIT:
        leave();
        break;
    case PROTO_HELLO: /* proto_decode() takes these from a driver only */
    case PROTO_STATE:
    case PROTO_END:
    case PROTO_RESULT:
        break;
    }
}

static void
task_handle(const struct proto_frame *request)
{
    enum proto_refusal refusal = task_refusal(request->task.expires_ns);

    if (refusal == PROTO_OK && !task_start(request->header.id, request->task.duration_ms))
        leave_failed("cannot arm the timer", errno);
    else
        answer(request->header.id, refusal, 0);
}

static void
run_handle(const struct proto_frame *request, const void *data)
{
    enum proto_refusal refusal = task_refusal(proto_run(data).expires_ns);
    uint32_t value = 0;

    if (refusal == PROTO_OK) {
        int error = job_start(request, data);
        refusal = error == 0 ? PROTO_OK : PROTO_REFUSED_EXEC;
        value = (uint32_t)(error == 0 ? self.job.pid : error);
    }
    answer(request->header.id, refusal, value);
}

/* The answer to the CANCEL of a job still says busy, unless the job has already ended. */
static void
cancel_handle(const struct proto_frame *request)
{
    uint32_t task_id = request->cancel.task_id;
    bool runs = self.work != FREE && (task_id == 0 || task_id == self.task_id);

    if (runs)
        task_cancel();
    answer(request->header.id, runs ? PROTO_OK : PROTO_REFUSED_FREE, 0);
}

/* Says why a TASK or RUN that expires at that moment cannot begin now; PROTO_OK: it can. */
static enum proto_refusal
task_refusal(uint64_t expires_ns)
{
    if ((uint64_t)clock_turn_ns >= expires_ns)
        return PROTO_REFUSED_LATE;
    return self.work == FREE ? PROTO_OK : PROTO_REFUSED_BUSY;
}

static void
answer(uint32_t id, enum proto_refusal refusal, uint32_t value)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_STATE, id),
        .state.busy = self.work != FREE,
        .state.refusal = (uint8_t)refusal,
        .state.value = value,
    };

    if (self.work != FREE)
        frame.state.remaining_ms =
            (uint64_t)((self.task_end_ns - clock_turn_ns + NS_PER_MS - 1) / NS_PER_MS);
    link_put(&self.link, &frame, proto_size(&frame));
}

/* ---- the task ------------------------------------------------------------------------------ */

static bool
task_start(uint32_t id, uint64_t duration_ms)
{
    self.task_id = id;
    self.task_end_ns = clock_turn_ns + (int64_t)duration_ms * NS_PER_MS;
    if (!timer_set(&self.timer, self.task_end_ns))
        return false;
    self.work = ON_TASK;
    return true;
}

/* A task whose time is over has ended, whether or not the timer's event was seen yet: so no
 * answer ever says "busy, 0 left". */
static void
task_check(void)
{
    if (self.work == FREE || clock_turn_ns < self.task_end_ns)
        return;
    if (self.work == ON_TASK) {
        task_end(PROTO_DONE);
        return;
    }
    job_tree_look(&self.job);
    job_follow();
}

static void
task_cancel(void)
{
    if (self.work == ON_TASK) {
        task_end(PROTO_CANCELLED);
        timer_disarm();
        return;
    }
    job_tree_terminate(&self.job, PROTO_CANCELLED, self.job.grace_ns);
    job_follow();
}

/* Ends a task that is no job, and tells the server, which so learns that we are free. The timer may
 * still be armed: what it reports then is dropped. */
static void
task_end(enum proto_outcome outcome)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_END, 0),
        .end.outcome = outcome,
    };

    assert(self.work == ON_TASK);
    self.work = FREE;
    link_put(&self.link, &frame, proto_size(&frame));
}

/* ---- the job ------------------------------------------------------------------------------- */

/* Starts the job that a RUN, decoded from data, asks for. Returns 0 or an errno. */
static int
job_start(const struct proto_frame *request, const void *data)
{
    int error = job_tree_start(&self.job, request, data, self.output_directory);

    if (error != 0)
        return error;
    self.task_id = request->header.id;
    self.work = ON_JOB;
    timer_arm(self.job.look_ns);
    return 0;
}

/* Follows each call that may change the job: reports the result if the job has ended, else sets the
 * timer for the next look at it. */
static void
job_follow(void)
{
    if (self.work != ON_JOB)
        return;
    if (self.job.stage == JOB_NONE)
        job_report();
    else if (self.link.source.fd < 0 && clock_turn_ns >= self.lost_ns + LOST_MS * NS_PER_MS)
        self.stay = LEAVES;
    else if (self.job.look_ns != self.task_end_ns)
        timer_arm(self.job.look_ns);
}

/* Nothing is left of the job. */
static void
job_report(void)
{
    struct proto_header header = proto_header(PROTO_FROM_DRIVER, PROTO_RESULT, self.task_id);

    link_put(&self.link, &header, sizeof(header));
    link_put(&self.link, &self.job.result, sizeof(self.job.result));
    self.work = FREE;
    timer_disarm();
    if (self.stay == STAYS_FOR_JOB)
        self.stay = LEAVES;
}

/* A busy driver looks at its job again at that moment. */
static void
timer_arm(int64_t at_ns)
{
    self.task_end_ns = at_ns;
    if (!timer_set(&self.timer, at_ns))
        leave_failed("cannot arm the timer", errno);
}

/* A driver that is free does not wake up. An event of the timer that is on its way is dropped. */
static void
timer_disarm(void)
{
    if (!timer_set(&self.timer, 0))
        leave_failed("cannot disarm the timer", errno);
}

/* ---- leaving ------------------------------------------------------------------------------- */

/* Leaves at once, or when the job has ended. That has less than its grace period, after which we
 * are killed. */
static void
leave(void)
{
    if (self.work != ON_JOB) {
        self.stay = LEAVES;
        return;
    }
    int64_t grace_ns = self.job.grace_ns, margin_ns = EXIT_MARGIN_MS * NS_PER_MS;
    if (margin_ns > grace_ns / 4)
        margin_ns = grace_ns / 4;
    if (self.stay == STAYS)
        self.stay = STAYS_FOR_JOB;
    job_tree_terminate(&self.job, PROTO_CANCELLED, grace_ns - margin_ns);
    job_follow();
}

/* The server has gone, and with it its end of the socket. A job is killed at once. */
static void
server_lost(void)
{
    if (self.link.source.fd < 0)
        return;
    link_close(&self.link);
    self.lost_ns = clock_turn_ns;
    if (self.work != ON_JOB) {
        self.stay = LEAVES;
        return;
    }
    if (self.stay == STAYS)
        self.stay = STAYS_FOR_JOB;
    job_tree_kill(&self.job);
    job_follow();
}

/* Something that a driver cannot do without has failed: it costs this driver. */
static void
leave_failed(const char *what, int error)
{
    driver_log(what, error);
    self.exit_status = EXIT_FAILURE;
    self.stay = LEAVES;
}

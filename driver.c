/*
 * driver: one worker. The server starts it with one end of a socketpair as descriptor 3, gives it
 * at most one task or job at a time, and asks for its state. A task keeps it busy for a number of
 * milliseconds, which a timerfd measures. A job is a shell command with a time limit;
 * lib/job_tree.h says how it ends.
 *
 * The driver waits in sources_wait() and nowhere else, for three sources: its socket, its signalfd
 * and its timerfd. All signals except those that a fault in the program raises are blocked even
 * before its exec, and are read from the signalfd; there is no signal handler. It allocates nothing
 * and uses no stdio, because ten thousand drivers may be waiting.
 *
 * It leaves when the server tells it to (EXIT), when somebody sends it SIGTERM, and when the server
 * is gone (its socket has ended, or it has another parent). It then ends its task or job, reports
 * that, and exits with status 0.
 */
#include "proto.h"

#include "lib/clock.h"
#include "lib/driver_log.h"
#include "lib/job_tree.h"
#include "lib/link.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "lib/source.h"
#include "lib/stack.h"
#include "lib/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    SIGNALS_PER_TURN = 8, /* the next turn reads the rest: a flood delays nothing else */
    /* A driver that is told to exit is killed after the grace period. It kills its own job this
     * much earlier, or a quarter of the grace period earlier if that is less. */
    EXIT_MARGIN_MS = 250,
    /* A BEGUN waits this long for the RESULT of its job, so that both are sent at once: most jobs
     * of a large batch are short, and a send wakes the server. */
    BEGUN_DELAY_MS = 5,
    /* When the server is gone, we leave within a second: how long the end of a job may take, and
     * how long of that it may take to stop its processes, before those that still run are killed,
     * too. We stay longer only for a job that forks faster than a busy machine lets us kill it. */
    LOST_MS = 700,
    LOST_STOPPING_MS = 200,
    LOST_FORKING_MS = 60000,
};

/* How long the driver stays. */
enum stay {
    STAYS,
    STAYS_FOR_JOB, /* leaves when the job has ended; only while PROTO_ON_JOB */
    LEAVES,        /* the loop ends after this turn; the rest of the turn handles nothing */
};

static struct {
    struct source signals;
    struct source timer; /* armed only while the driver is busy */
    pid_t server_pid;
    int output_fd; /* the directory for the output of jobs; -1: they write to standard error */

    enum stay stay;
    int exit_status;
    int64_t lost_ns; /* when the server was found to be gone */

    enum proto_work work;
    uint32_t work_id;    /* the number of the TASK or RUN */
    int64_t work_due_ns; /* on CLOCK_MONOTONIC: the task ends, or job_tree_look() must be called */

    /* These are large, so they come last: pages of memory that are not needed are never touched. */
    struct link link;
    struct job_tree job;
} self;

/* start */
static const char *loop_open(void);
static const char *process_prepare(void);

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
static enum proto_refusal work_refusal(uint64_t expires_ns);
static void answer(uint32_t id, enum proto_refusal refusal);

/* the task or job */
static void work_check(void);
static void work_cancel(void);
static bool task_start(uint32_t id, uint64_t duration_ms);
static void task_end(enum proto_outcome outcome);
static void job_start(void);
static int64_t lost_until_ns(void);
static void job_follow(void);
static void job_report(void);
static void timer_arm(int64_t at_ns);
static void timer_disarm(void);

/* leaving */
static void leave(void);
static void leave_failed(const char *what, int error);
static void server_lost(void);

/* ---- start, and the loop --------------------------------------------------------------------- */

/* The arguments, if there are any, are for job_child_open_output(). */
int
main(int argc, char **argv)
{
    self.output_fd = -1; /* here, so that self as a whole begins as zero, without memory */
    self.server_pid = link_maker();
    if (self.server_pid == 0 || self.server_pid != getppid()) {
        driver_log("started by the server, not by hand: run ./server and say create_driver", 0);
        return 2;
    }
    const char *failed = loop_open();
    if (failed == NULL)
        failed = process_prepare();
    if (failed == NULL && argc > 3 && (self.output_fd = job_child_open_output(argv + 1)) < 0)
        failed = "cannot open the directory for the output of jobs";
    if (failed != NULL) {
        leave_failed(failed, errno);
    } else {
        report_hello(&self.link);
        socket_work();
    }
    while (self.stay != LEAVES)
        if (!sources_wait(-1))
            leave_failed("cannot wait for events", errno);
    clock_look();
    work_check();
    if (self.work == PROTO_ON_TASK)
        task_end(PROTO_CANCELLED);
    else if (self.work == PROTO_ON_JOB)
        job_tree_abandon(&self.job); /* something has failed; the server reaps what is left */
    link_flush(&self.link);
    return self.exit_status;
}

/* Opens what the loop waits for. Returns NULL, or a text that says what failed, with errno. */
static const char *
loop_open(void)
{
    static const char unwatched[] = "cannot fill the epoll set";
    sigset_t set;

    if (!stack_has(STACK_OF_DRIVER))
        return "the stack is too small: 16 KiB are needed, see ulimit -s";
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

/* Sets the attributes of this process. Returns NULL, or a text that says what failed, with
 * errno. */
static const char *
process_prepare(void)
{
    /* The signal to get when the server dies, prctl(2). SIGKILL would leave us no time to end the
     * job. SIGCONT is the only other signal that wakes a stopped process, and does so even if it is
     * blocked. */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT) < 0)
        return "cannot ask for a signal when the server dies";
    /* A worker needs no privilege that it was not started with. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return "cannot give up new privileges";
    /* The processes that a job leaves behind become our children, not children of process 1. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return "cannot become a subreaper";
    return NULL;
}

/* ---- signals and the timer ------------------------------------------------------------------- */

/* The other handlers of a turn are still called after the driver has decided to leave; each checks
 * for that, and does nothing. */
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
        /* The kernel sends it when the server has died. The socket usually has ended then, too, but
         * not if a driver that was stopped before its exec still holds the other end. */
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
    clock_look(); /* the timer may have been set, and may have expired, since this turn began */
    work_check();
    if (self.work == PROTO_ON_JOB && clock_turn_ns < self.work_due_ns)
        timer_arm(self.work_due_ns); /* it was armed for the BEGUN */
    socket_work();
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void
socket_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    if (self.stay == LEAVES)
        return;
    if (!link_receive(&self.link))
        server_lost();
    clock_look(); /* if we were stopped, a request may have come and expired since */
    socket_work();
}

/* Handles the requests that were read, and sends the output. */
static void
socket_work(void)
{
    bool more = true;

    while (more && self.stay != LEAVES && self.link.source.fd >= 0) {
        requests_handle();
        more = link_is_full(&self.link);
        if (!link_flush(&self.link))
            server_lost();
        if (self.link.output_size > 0) {
            more = false;
        } else if (self.job.stage == JOB_TAKEN) {
            job_start(); /* its STATE is on its way to the server */
            more = !self.link.patient;
        }
    }
    if (self.stay != LEAVES && self.link.source.fd >= 0 && !link_watch(&self.link))
        leave_failed("cannot watch the socket", errno);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Handles the requests that have arrived completely, while there is room for the answers, and up to
 * a RUN that was taken: its job is started before the next request. */
static void
requests_handle(void)
{
    struct proto_frame request;
    const void *data;
    enum proto_verdict verdict = PROTO_INCOMPLETE;

    while (self.stay != LEAVES && self.job.stage != JOB_TAKEN &&
           (verdict = link_next(&self.link, &request, &data)) == PROTO_COMPLETE)
        request_handle(&request, data);
    if (verdict > PROTO_INCOMPLETE)
        leave_failed("the server broke the protocol", 0);
}

/* Handles a request, which was decoded from data. The requests of a turn share one reading of the
 * clock, except that job_start() reads it anew. */
static void
request_handle(const struct proto_frame *request, const void *data)
{
    enum proto_type type = request->header.type;

    work_check();
    switch (type) {
    case PROTO_TASK:
        task_handle(request);
        break;
    case PROTO_RUN:
        run_handle(request, data);
        break;
    case PROTO_CANCEL:
        cancel_handle(request);
        break;
    case PROTO_STATUS:
        answer(request->header.id, PROTO_OK);
        break;
    case PROTO_EXIT:
        leave();
        break;
    case PROTO_HELLO: /* proto_decode() takes these from a driver only */
    case PROTO_STATE:
    case PROTO_END:
    case PROTO_BEGUN:
    case PROTO_RESULT:
        break;
    }
}

static void
task_handle(const struct proto_frame *request)
{
    enum proto_refusal refusal = work_refusal(request->task.expires_ns);

    if (refusal == PROTO_OK && !task_start(request->header.id, request->task.duration_ms))
        leave_failed("cannot arm the timer", errno);
    else
        answer(request->header.id, refusal);
}

/* Takes the job, if it can. It begins when the answer has been sent, see proto.h. */
static void
run_handle(const struct proto_frame *request, const void *data)
{
    enum proto_refusal refusal = work_refusal(proto_run(data).expires_ns);

    if (refusal == PROTO_OK) {
        job_tree_take(&self.job, request, data, self.output_fd);
        self.work = PROTO_ON_JOB;
        self.work_id = request->header.id;
        self.work_due_ns = clock_turn_ns + (int64_t)self.job.child.run.limit_ms * NS_PER_MS;
    }
    answer(request->header.id, refusal);
}

/* The answer to the CANCEL of a job still says busy, unless the job has already ended. */
static void
cancel_handle(const struct proto_frame *request)
{
    uint32_t id = request->cancel.task_id;
    bool runs = self.work != PROTO_FREE && (id == 0 || id == self.work_id);

    if (runs)
        work_cancel();
    answer(request->header.id, runs ? PROTO_OK : PROTO_REFUSED_FREE);
}

/* Returns why a TASK or RUN that expires at expires_ns cannot begin now, or PROTO_OK if it can. */
static enum proto_refusal
work_refusal(uint64_t expires_ns)
{
    if ((uint64_t)clock_turn_ns >= expires_ns)
        return PROTO_REFUSED_LATE;
    return self.work == PROTO_FREE ? PROTO_OK : PROTO_REFUSED_BUSY;
}

/* Answers the request with that id with our state. */
static void
answer(uint32_t id, enum proto_refusal refusal)
{
    report_state(&self.link, id, self.work, refusal, self.work_due_ns);
}

/* ---- the task or job ------------------------------------------------------------------------- */

/* Ends a task whose time is over, even if the timer's event has not arrived yet, so that no answer
 * says "busy, 0 ms left". Looks at a job when it is time for that. */
static void
work_check(void)
{
    if (self.work == PROTO_FREE || clock_turn_ns < self.work_due_ns)
        return;
    if (self.work == PROTO_ON_TASK) {
        task_end(PROTO_DONE);
        return;
    }
    job_tree_look(&self.job);
    job_follow();
}

static void
work_cancel(void)
{
    if (self.work == PROTO_ON_TASK) {
        task_end(PROTO_CANCELLED);
        timer_disarm();
        return;
    }
    job_tree_terminate(&self.job, PROTO_CANCELLED, self.job.grace_ns);
    job_follow();
}

/* Returns false with errno if the timer cannot be set. */
static bool
task_start(uint32_t id, uint64_t duration_ms)
{
    self.work_id = id;
    self.work_due_ns = clock_turn_ns + (int64_t)duration_ms * NS_PER_MS;
    if (!timer_set(&self.timer, self.work_due_ns))
        return false;
    self.work = PROTO_ON_TASK;
    return true;
}

/* Ends the task and reports that to the server, which then knows that we are free. The timer may
 * stay armed; its event then finds no task and does nothing. */
static void
task_end(enum proto_outcome outcome)
{
    assert(self.work == PROTO_ON_TASK);
    self.work = PROTO_FREE;
    report_end(&self.link, outcome);
}

/* ---- the job --------------------------------------------------------------------------------- */

/* Starts the job that was taken, and reports its pid, or that it has not begun. */
static void
job_start(void)
{
    job_tree_start(&self.job);
    clock_look(); /* the start takes time */
    if (self.job.stage != JOB_RUNS) {
        struct proto_result result = self.job.result;
        job_follow();
        /* Somebody took our descriptors: no job could begin, and each would seem to be at fault. */
        if (result.cause == PROTO_CAUSE_START && result.status == EBADF)
            leave_failed("cannot start jobs", EBADF);
        return;
    }
    int64_t look_ns = self.job.look_ns, tell_ns = clock_turn_ns + BEGUN_DELAY_MS * NS_PER_MS;
    if (!self.job.child.told) {
        struct proto_frame frame = job_child_begun(&self.job.child, self.job.pid);
        link_put(&self.link, &frame, proto_size(&frame));
        self.link.patient = true;
    }
    timer_arm(self.job.child.told || tell_ns > look_ns ? look_ns : tell_ns);
    self.work_due_ns = look_ns;
}

/* When we leave even if the job has not ended, because the server is gone. */
static int64_t
lost_until_ns(void)
{
    int64_t ms = self.job.family.settled ? LOST_MS : LOST_FORKING_MS;

    return self.lost_ns + ms * NS_PER_MS;
}

/* Must be called after each call that may have changed the job: reports the result if the job has
 * ended, and otherwise sets the timer for the next look at the job. */
static void
job_follow(void)
{
    if (self.work != PROTO_ON_JOB)
        return;
    if (self.job.stage == JOB_NONE)
        job_report();
    else if (self.link.source.fd < 0 && clock_turn_ns >= lost_until_ns())
        self.stay = LEAVES;
    else if (self.job.look_ns != self.work_due_ns)
        timer_arm(self.job.look_ns);
}

/* Nothing is left of the job: puts its RESULT into the output. */
static void
job_report(void)
{
    report_result(&self.link, self.work_id, &self.job.result);
    self.work = PROTO_FREE;
    timer_disarm();
    if (self.stay == STAYS_FOR_JOB)
        self.stay = LEAVES;
}

/* Sets the time, on CLOCK_MONOTONIC, when the driver must look at its job again. */
static void
timer_arm(int64_t at_ns)
{
    self.work_due_ns = at_ns;
    if (!timer_set(&self.timer, at_ns))
        leave_failed("cannot arm the timer", errno);
}

/* Keeps the timer from waking a free driver. timer_take() drops an event that is already on its
 * way. */
static void
timer_disarm(void)
{
    if (!timer_set(&self.timer, 0))
        leave_failed("cannot disarm the timer", errno);
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* Leaves at once or, if there is a job, when the job has ended. The job gets less than its grace
 * period, because the server kills us when that is over. */
static void
leave(void)
{
    if (self.work != PROTO_ON_JOB) {
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

/* The server is gone, and so is its end of the socket. A job is killed at once. */
static void
server_lost(void)
{
    if (self.link.source.fd < 0)
        return;
    link_close(&self.link);
    self.lost_ns = clock_turn_ns;
    if (self.work != PROTO_ON_JOB) {
        self.stay = LEAVES;
        return;
    }
    if (self.stay == STAYS)
        self.stay = STAYS_FOR_JOB;
    job_tree_kill(&self.job, LOST_STOPPING_MS * NS_PER_MS);
    job_follow();
}

/* Something that the driver needs has failed: logs it, and leaves with an error status. */
static void
leave_failed(const char *what, int error)
{
    driver_log(what, error);
    self.exit_status = EXIT_FAILURE;
    self.stay = LEAVES;
}

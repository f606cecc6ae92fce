/*
 * server: starts driver processes and gives them work. It runs in the foreground.
 *
 * Clients (standard input, and connections to a control socket) give it commands, one per line, and
 * it answers each. It talks to each driver over a socketpair (proto.h), and gives it timed tasks
 * and jobs. With --connect this program is not a server but a client of one, see lib/session.c.
 *
 * There is one loop. It waits in one place, sources_wait(), for six kinds of sources:
 *
 *     signals         all blocked, read from one signalfd             signals_ready(), below
 *     the timer       one timerfd, armed for the earliest deadline    deadlines_over(), below
 *     clients         standard input and output, and connections      lib/console.c, lib/control.c
 *     control socket  at which clients connect                        lib/control.c
 *     drivers         each at the other end of a socketpair           lib/channel.c
 *     a pipe          what they write, if stderr is a terminal        lib/relay.c
 *
 * There is no signal handler, no thread, and no call in the loop that blocks, except that the
 * server waits for the exec of a driver that it starts. Handlers of events schedule objects;
 * loop_turn() then works on the scheduled objects, in a fixed order. An object that is dropped
 * during a turn is freed at the end of the turn, so that no event of the turn points at freed
 * memory.
 *
 * The way of a command: lib/reader.c reads it, lib/turn.c finds the line, and lib/command.c runs it
 * and makes a request. lib/fleet.c queues its question for a driver; lib/channel.c sends the
 * question and receives the answer. lib/answer.c interprets the answer, and lib/reply.c writes the
 * reply. lib/job_life.c has the life of a job. See lib/README.md.
 */
#include "proto.h"

#include "lib/channel.h"
#include "lib/clients.h"
#include "lib/clock.h"
#include "lib/command.h"
#include "lib/console.h"
#include "lib/control.h"
#include "lib/dispatch.h"
#include "lib/job_commands.h"
#include "lib/job_life.h"
#include "lib/joblog.h"
#include "lib/keeper.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/notify.h"
#include "lib/options.h"
#include "lib/output.h"
#include "lib/parting.h"
#include "lib/phase.h"
#include "lib/progress.h"
#include "lib/reader.h"
#include "lib/reaper.h"
#include "lib/relay.h"
#include "lib/reply.h"
#include "lib/resume.h"
#include "lib/session.h"
#include "lib/signals.h"
#include "lib/spawn.h"
#include "lib/stack.h"
#include "lib/stats.h"
#include "lib/stream.h"
#include "lib/turn.h"
#include "lib/watchdog.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SIGNALS_PER_TURN = 32,  /* the next turn reads the rest: a flood delays nothing else */
    FLUSHES_PER_TURN = 512, /* a send takes about a microsecond */
    LAST_WORDS_MS = 250, /* after the grace period, for replies caused by the last drivers' end */
};

static struct server {
    struct source signals;
    bool hup_ignored;     /* we were started by nohup(1), for example */
    struct deadline stop; /* DEADLINE_STOP, set when the stop begins */
} server = {.signals.fd = -1};

/* start */
static int server_run(void);
static void server_open(const sigset_t *signals);
static void deadlines_prepare(void);
static void server_announce(void);

/* the loop */
static void loop_turn(void);
static void server_flush(void);
static bool server_finished(void);
static bool output_written(void);

/* signals and deadlines */
static void signals_ready(struct source *source, uint32_t events);
static void signal_handle(const struct signalfd_siginfo *info, bool again);
static void deadlines_over(void);
static void server_retry(void);

/* the stop */
static void server_stop(bool first);
static void server_close(void);

/* ---- start ----------------------------------------------------------------------------------- */

int
main(int argc, char **argv)
{
    options_name();
    stack_check();
    streams_fill();
    char **words = options_parse(argc, argv);
    if (options.connect_path != NULL)
        return session_run(words);
    return server_run();
}

/* Runs the server until it has stopped. Returns the exit status. */
static int
server_run(void)
{
    sigset_t signals;

    if (!signals_block(&signals)) /* first: a signal that ends us could leave what we made */
        err(EXIT_FAILURE, "cannot block signals");
    control_open();
    server.hup_ignored = signals_default();
    options_find_driver();
    descriptors_prepare();
    server_open(&signals);
    log_open();
    jobs_resume();
    console_open();
    reaper_open();
    while (!server_finished())
        loop_turn();
    server_close();
    return phase_exit_status();
}

/* Opens everything that the loop uses. Exits if that fails. */
static void
server_open(const sigset_t *signals)
{
    clock_look();
    stats.started_ns = clock_turn_ns;
    phase_open(server_stop);
    if (!sources_open())
        err(EXIT_FAILURE, "cannot create an epoll set");
    if (!deadlines_open(deadlines_over))
        err(EXIT_FAILURE, "cannot create a timerfd");
    deadlines_prepare();
    memory_open();
    clients_open();
    dispatch_open();
    keeper_open();
    watchdog_open();
    if (!fleet_open() || !buffers_open() || !requests_open() || !calls_open())
        err(EXIT_FAILURE, "cannot start");
    commands_open();
    relay_open();
    spawn_open(server.hup_ignored);
    uint64_t output = output_open();
    joblog_open();
    jobs_open(output, resume_open());
    if (!signals_open(&server.signals, signals, signals_ready))
        err(EXIT_FAILURE, "cannot create a signalfd");
    if (!control_watch())
        err(EXIT_FAILURE, "cannot watch the control socket");
}

static void
deadlines_prepare(void)
{
    deadline_init(&server.stop);
    deadline_set(DEADLINE_REPLY, options.reply_timeout_ns);
    deadline_set(DEADLINE_START, options.start_timeout_ns);
    deadline_set(DEADLINE_EXIT, options.grace_ns);
    deadline_set(DEADLINE_STOP, options.grace_ns + LAST_WORDS_MS * NS_PER_MS);
}

/* Commands are accepted, and all kept drivers are up. */
static void
server_announce(void)
{
    keeper_warmed_up();
    phase_reach(PHASE_READY);
    notify("READY=1\nSTATUS=Running");
    notify_ready_fd(options.ready_fd);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Waits for events and calls their handlers; then works on everything that they have scheduled. */
static void
loop_turn(void)
{
    bool idle = list_empty(clients_runnable()) && fleet_unsent() == NULL && !keeper_can_start() &&
                !orphans_under_way();
    if (!sources_wait(idle ? -1 : 0)) {
        orphans_kill_now(); /* drivers that live see the end of their sockets, and end their jobs */
        err(EXIT_FAILURE, "cannot wait for events");
    }
    if (keeper_can_start())
        keeper_start();
    if (!phase_ready() && keeper_all_up())
        server_announce();
    drivers_reap_ended();
    orphans_kill();
    clients_run();
    calls_assign();
    waits_end();
    if (joblog_has_failed())
        phase_fail();
    server_flush();
    if (phase_stopping())
        control_close();
    drivers_free_dropped(false);
    clients_free_dropped();
    memory_tend();
    progress_run();
    deadlines_arm();
}

/* Sends drivers what is queued for them. */
static void
server_flush(void)
{
    struct driver *driver;

    clock_look(); /* the reply timeout of a call starts here */
    for (int i = 0; i < FLUSHES_PER_TURN && (driver = fleet_unsent()) != NULL; i++)
        driver_flush(driver);
}

/* Whether the stop is complete: all drivers and what they left are gone, and all replies are
 * written; or the time for that is over. */
static bool
server_finished(void)
{
    return phase_stopping() && !control_is_open() && !reaper_expects() &&
           ((output_written() && !partings_hold()) ||
            (phase_overdue() && list_empty(clients_runnable())));
}

/* Whether every client has been given everything that it is owed, and the terminal what jobs have
 * written. */
static bool
output_written(void)
{
    return client_finished(&console) && client_first() == NULL && relay_drain() && progress_end();
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Signals that were pending together count as one request to stop: none of them hurries a stop that
 * another one begins. */
static void
signals_ready(struct source *source, uint32_t events)
{
    struct signalfd_siginfo infos[SIGNALS_PER_TURN];
    int count = signals_read(source, infos, SIGNALS_PER_TURN);
    bool again = phase_stopping();

    (void)events;
    for (int i = 0; i < count; i++)
        signal_handle(&infos[i], again);
    if (count < 0)
        log_line("cannot read signals: %s", strerror(errno)); /* the next turn tries again */
}

/* again: the server was stopping before. A second HUP hurries nothing, because a terminal that
 * closes sends two: one from the kernel, one from the shell. */
static void
signal_handle(const struct signalfd_siginfo *info, bool again)
{
    char line[TEXT_SIZE];

    switch (info->ssi_signo) {
    case SIGHUP:
        if (!server.hup_ignored)
            console_interrupt(false);
        break;
    case SIGINT:
    case SIGTERM:
        console_interrupt(again);
        break;
    case SIGQUIT:
        console_interrupt(true);
        break;
    case SIGUSR1:
        log_line("%.*s", (int)stats_line(&format_text, line) - 1, line);
        break;
    case SIGUSR2:
        joblog_reopen();
        break;
    case SIGTSTP:
        shell_stop(SIGTSTP, getpid());
        break;
    case SIGCONT:
        console_continued();
        break;
    case SIGCHLD:
        child_died((pid_t)info->ssi_pid);
        break;
    default:
        break; /* for example SIGPIPE: the write that raised it has failed with EPIPE */
    }
}

/* ---- deadlines ------------------------------------------------------------------------------- */

/* Calls the handler of each deadline that has passed. The handler stops the deadline or starts it
 * anew, or finds an answer that has come at the last moment, which has stopped it. */
static void
deadlines_over(void)
{
    struct deadline *deadline;

    while ((deadline = deadline_over(DEADLINE_REPLY)) != NULL)
        call_timed_out(container_of(deadline, struct call, deadline));
    while ((deadline = deadline_over(DEADLINE_START)) != NULL)
        driver_start_timed_out(container_of(deadline, struct driver, deadline));
    while ((deadline = deadline_over(DEADLINE_EXIT)) != NULL)
        driver_exit_timed_out(container_of(deadline, struct driver, deadline));
    while ((deadline = deadline_over(DEADLINE_JOB)) != NULL)
        driver_job_timed_out(container_of(deadline, struct driver, job_deadline));
    if ((deadline = deadline_over(DEADLINE_STOP)) != NULL) {
        deadline_stop(deadline);
        if (phase_reach(PHASE_OVERDUE))
            reaper_give_up_later(false);
    }
    if (deadline_over(DEADLINE_GIVE_UP) != NULL)
        reaper_give_up();
    if (deadline_over(DEADLINE_SWEEP) != NULL)
        children_sweep();
    if (retry_is_due())
        server_retry();
    if (deadline_over(DEADLINE_REPLACE) != NULL)
        keeper_replace();
    if (deadline_over(DEADLINE_WATCH) != NULL)
        watchdog_over();
    if (deadline_over(DEADLINE_MEMORY) != NULL)
        memory_look();
    partings_over();
    console_stop_lasts();
    if (deadline_over(DEADLINE_QUIET) != NULL)
        relay_quiet();
}

/* Tries again what failed for lack of memory or descriptors. */
static void
server_retry(void)
{
    memory_may_be_back();
    orphans_look_again();
    control_retry();
}

/* ---- the stop -------------------------------------------------------------------------------- */

/*
 * Begins to stop the server. When it is asked for a second time, or to stop at once, it kills all
 * drivers. Everything else follows from the phase. No more commands are run; drivers exit, or are
 * killed after the grace period. The loop ends when the last driver is reaped and the last reply is
 * written.
 */
static void
server_stop(bool first)
{
    struct driver *driver = NULL;

    while (phase_overdue() && (driver = fleet_next(driver)) != NULL)
        driver_kill(driver);
    if (phase_overdue())
        reaper_give_up_later(true);
    if (!first)
        return;
    notify("STOPPING=1\nSTATUS=Stopping");
    keeper_stop();
    deadline_start(&server.stop, DEADLINE_STOP);
    for (driver = NULL; (driver = fleet_next(driver)) != NULL;)
        driver_dismiss(driver);
    dispatch_stop();
    clients_wake();
}

/* The server's only way out of the loop: logs what was lost, and frees everything. */
static void
server_close(void)
{
    progress_end();
    reaper_close();
    if (!output_written())
        log_line("output that nobody read was dropped");
    log_count(stats.tasks_cancelled_at_stop, "task", "cancelled");
    log_count(stats.jobs_cancelled_at_stop, "job", "cancelled");
    log_count(stats.jobs_unrun_at_stop, "job", "did not run");
    clients_end();
    console_close();
    log_close();
    fleet_close();
    deadlines_close();
    source_close(&server.signals);
    spawn_close();
    relay_close();
    sources_close();
    clients_close();
    buffers_close();
    requests_close();
    calls_close();
    jobs_close();
    joblog_close();
    resume_close();
    job_texts_close();
    output_close();
    options_close();
}

#include "console.h"

#include "clients.h"
#include "clock.h"
#include "deadline.h"
#include "fleet.h"
#include "format.h"
#include "giver.h"
#include "job_life.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "progress.h"
#include "reader.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DRAIN_READS = 256, /* a mebibyte: more than a socket holds, unless somebody has enlarged it */
    TELL_MS = 500,     /* a stop that takes longer looks as if nothing happened */
};

/* For whoever starts the server for the first time. */
static const char greeting[] = "taxi-server: help lists the commands\n";

static struct deadline slow_stop; /* DEADLINE_TELL, set when the stop begins */

static void
console_in_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    client_read(&console);
}

static void
console_out_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    if (console.output_state == OUTPUT_WAITS)
        console.output_state = OUTPUT_OPEN;
    client_wake(&console);
}

/* The log is about to write to the terminal. Returns whether a prompt is shown there. */
static bool
console_take_prompt(void)
{
    if (console.prompt != PROMPT_SHOWN)
        return false;
    console.prompt = PROMPT_HIDDEN;
    client_wake(&console); /* its turn shows the prompt again */
    return true;
}

void
console_open(void)
{
    deadline_init(&slow_stop);
    deadline_set(DEADLINE_TELL, TELL_MS * NS_PER_MS);
    client_init(&console, format_chosen());
    log_over_prompt(console_take_prompt);
    progress_open();
    if (!stream_open(&console.in, STDIN_FILENO, O_RDONLY)) {
        if (!options_serve_others())
            err(EXIT_FAILURE, "cannot read standard input");
        log_line("cannot read standard input: %s", strerror(errno)); /* for example with nohup(1) */
        console.input_state = INPUT_ENDED;
    }
    stream_open(&console.out, STDOUT_FILENO, O_WRONLY);
    console.in.source.ready = console_in_ready;
    console.out.source.ready = console_out_ready;
    console.terminal = isatty(STDIN_FILENO);
    if (console.terminal && isatty(STDOUT_FILENO) && options.each == NULL)
        console.prompt = PROMPT_HIDDEN;
    /* A terminal is read once before it is ready. If we are in its background, that stops us at
     * once, as it stops any program that reads. */
    if (console.terminal)
        client_read(&console);
    if (console.prompt != PROMPT_NONE && buffer_prepare(&console.output))
        buffer_append_string(&console.output, greeting);
    client_wake(&console);
}

/* Whatever comes next, such as the shell's prompt, starts a new line. */
static void
console_leave_prompt(void)
{
    if (console.prompt != PROMPT_SHOWN)
        return;
    stream_write(&console.out, "\n", 1);
    console.prompt = PROMPT_HIDDEN;
}

/* Whether standard input and output are one socket, as from inetd(8). */
static bool
console_is_socket(void)
{
    struct stat in, out;

    return console.in.kind == STREAM_SOCKET && console.out.kind == STREAM_SOCKET &&
           fstat(console.in.fd, &in) == 0 && fstat(console.out.fd, &out) == 0 &&
           in.st_ino == out.st_ino && in.st_dev == out.st_dev;
}

/* Drops what the other end of a socket has sent and nobody will read. Otherwise closing the socket
 * would be a reset, and the other end would get an error instead of the end of the replies. */
static void
console_drain(void)
{
    char data[4096];

    if (!console_is_socket())
        return;
    for (int i = 0; i < DRAIN_READS; i++)
        if (stream_read(&console.in, data, sizeof(data)) <= 0)
            return;
}

/* Says what the server waits for. */
static void
console_say_what_for(void)
{
    unsigned jobs = console.jobs + console.giver->jobs;
    bool one = jobs == 1;

    if (!options_serve_others() && jobs == 0 && console.barrier == NULL)
        return;
    console_leave_prompt();
    if (options.listen_path != NULL)
        log_line("the console has ended; go on with --connect %s, stop the server with Ctrl+C",
                 options.listen_path);
    else if (jobs > 0)
        log_line("waiting for %u job%s; Ctrl+C cancels %s", jobs, one ? "" : "s",
                 one ? "it" : "them");
    else
        log_line("waiting for the last replies; Ctrl+C stops the server");
}

void
console_end_input(void)
{
    if (console.in.fd < 0 || console_is_socket())
        return; /* a socket stays until the last reply is written */
    if (console.terminal && !console.hung_up && !phase_stopping())
        console_say_what_for();
    stream_let_go(&console.in, O_RDONLY);
}

/* Whether nothing was read yet, for example because the first drivers are still awaited. A terminal
 * was read at the start. */
static bool
console_is_unread(void)
{
    return console.input_state == INPUT_OPEN && !console.terminal && console.lines == 0 &&
           buffer_used(&console.input) == 0;
}

/* The exit status must tell whether there were jobs, so the input is read, and its jobs are unrun.
 * The second read notices the end of a short input. If a file is longer, the batch is
 * unfinished. */
static void
console_read_late(void)
{
    client_read(&console);
    client_read(&console);
    if (console.in.kind == STREAM_FILE && console.input_state == INPUT_OPEN &&
        buffer_used(&console.input) > 0)
        client_unfinished(&console);
}

/* At a prompt, commands that were typed ahead are dropped, as the kernel drops what is typed before
 * a Ctrl+C. The commands of a batch get their Errors. */
void
console_stopping(void)
{
    if (console.terminal && console.prompt != PROMPT_NONE)
        buffer_consume(&console.input, buffer_used(&console.input));
    if (console_is_unread())
        console_read_late();
    if (isatty(STDERR_FILENO))
        deadline_start(&slow_stop, DEADLINE_TELL);
}

void
console_stop_lasts(void)
{
    unsigned drivers = fleet_count(DRIVER_STOPPING);
    bool one = drivers == 1;

    if (deadline_over(DEADLINE_TELL) == NULL)
        return;
    deadline_stop(&slow_stop);
    if (drivers > 0 && !phase_overdue())
        log_line("stopping; waiting for %u driver%s; Ctrl+C kills %s", drivers, one ? "" : "s",
                 one ? "it" : "them");
}

void
console_end(void)
{
    progress_end();
    console_leave_prompt();
    console_drain();
    stream_let_go(&console.in, O_RDONLY);
    stream_let_go(&console.out, O_WRONLY);
}

/* With --each, whatever is in the input becomes a job. Other input may have none. */
static bool
console_is_unfinished(void)
{
    return console.interrupted && (console.gave_jobs || options.each != NULL);
}

void
console_close(void)
{
    if (console_is_unfinished())
        client_unfinished(&console);
    console_leave_prompt();
    console_drain();
    stream_close(&console.in);
    stream_close(&console.out);
}

bool
console_has_ended(void)
{
    struct pollfd in = {.fd = console.in.fd, .events = POLLRDHUP};

    return console.input_state != INPUT_OPEN || console.in.kind == STREAM_FILE ||
           poll(&in, 1, 0) > 0;
}

void
console_continued(void)
{
    if (console.prompt == PROMPT_SHOWN)
        console.prompt = PROMPT_HIDDEN;
    /* If we were continued in the background, this stops us again; but not if the server is
     * stopping. */
    if (console.terminal && console.input_state == INPUT_OPEN && !phase_stopping())
        client_read(&console);
    client_wake(&console);
}

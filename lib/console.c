#include "console.h"

#include "clients.h"
#include "format.h"
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
    DRAIN_READS = 256, /* a mebibyte: more than a socket holds, unless somebody has set that */
};

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
    client_init(&console, options.json ? &format_json : &format_text);
    log_over_prompt(console_take_prompt);
    progress_open();
    if (!stream_open(&console.in, STDIN_FILENO, O_RDONLY)) {
        if (options.listen_path == NULL)
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

void
console_end_input(void)
{
    bool one = console.jobs == 1;

    if (console.in.fd < 0 || console_is_socket())
        return; /* a socket stays until the last reply is written */
    if (console.terminal && !phase_stopping() && options.listen_path != NULL) {
        console_leave_prompt();
        log_line("the console has ended; go on with --connect %s, stop the server with Ctrl+C",
                 options.listen_path);
    } else if (console.terminal && !phase_stopping() && console.jobs > 0) {
        console_leave_prompt();
        log_line("waiting for %u job%s; Ctrl+C cancels %s", console.jobs, one ? "" : "s",
                 one ? "it" : "them");
    }
    stream_let_go(&console.in, O_RDONLY);
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

void
console_close(void)
{
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

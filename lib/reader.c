#include "reader.h"

#include "awaiting.h"
#include "barrier.h"
#include "clients.h"
#include "clock.h"
#include "fleet.h"
#include "job_life.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "tally.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

enum {
    READS_TO_DROP = 64, /* blocks: more than a socket or a pipe holds, even if others write on */
};

bool
client_gives_names(const struct client *client)
{
    return client == &console && options.each != NULL;
}

char
client_separator(const struct client *client)
{
    return client_gives_names(client) ? options.name_separator : '\n';
}

static void
client_end_input(struct client *client)
{
    if (client->input_state == INPUT_OPEN)
        client->input_state = INPUT_ENDED;
    client->starved = false; /* what is left in the input is now a line */
    client_wake(client);
}

/* Drops the beginning of a line whose rest will never come, because half a command is another
 * command: "rm -r a" of "rm -r a/tmp". */
static void
client_drop_half_line(struct client *client)
{
    struct buffer *input = &client->input;
    size_t used = buffer_used(input);

    if (used == 0)
        return;
    const char *at = input->data + input->start;
    const char *newline = memrchr(at, client_separator(client), used);
    size_t whole = newline != NULL ? (size_t)(newline - at) + 1 : 0;
    client->loss.half_line |= whole < used && !(client->skipping_line && whole == 0);
    input->end = input->start + whole;
    buffer_consume(input, 0);
}

/* The input has broken off. */
static void
client_break_input(struct client *client)
{
    if (client->input_state == INPUT_OPEN)
        client_drop_half_line(client);
    client_end_input(client);
    if (client != &console || !client->loss.half_line)
        return;
    log_line("standard input broke off in the middle of a %s, which is not run",
             client_gives_names(client) ? "name" : "line");
    client->loss.half_line = false;
    if (!options_serve_others())
        phase_set_failed();
}

/* The terminal was hung up, usually because its window was closed. This is no failure, and neither
 * is the SIGHUP that comes then. */
static void
client_hang_up(struct client *client)
{
    client->hung_up = true;
    if (client->input_state == INPUT_OPEN)
        client_drop_half_line(client);
    client->loss.half_line = false;
    client_end_input(client);
}

/* ---- the terminal ---------------------------------------------------------------------------- */

/* Unblocks the signal for a moment, so that its default action stops us. In an orphaned process
 * group, where no shell could continue us, the kernel discards the signal, setpgid(2). */
void
shell_stop(int number, pid_t whom)
{
    sigset_t set;

    log_status_take();
    sigemptyset(&set);
    sigaddset(&set, number);
    kill(whom, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* this is where we are stopped */
    sigprocmask(SIG_BLOCK, &set, NULL);
    clock_look();
}

/*
 * Reading the terminal has failed with EIO. If the reason is that we are in its background, we stop
 * our whole process group, as the kernel would have done if SIGTTIN were not blocked, termios(3).
 * After that a SIGCONT is pending, and its handler reads again. If nothing has stopped us, or the
 * terminal was hung up, this is the end of the input. A foreground group of 0 is outside of our pid
 * namespace, and may be any group.
 */
static void
client_terminal_refused(struct client *client)
{
    pid_t foreground = tcgetpgrp(client->in.fd);
    sigset_t pending;

    if (phase_stopping() || (foreground > 0 && foreground == getpgrp()))
        return; /* we need no more input, or are in the foreground by now */
    if (foreground < 0) {
        client_hang_up(client);
        return;
    }
    shell_stop(SIGTTIN, 0);
    if (sigpending(&pending) != 0 || !sigismember(&pending, SIGCONT))
        client_break_input(client);
}

/* ---- clients that are gone, or have failed --------------------------------------------------- */

/* Calls visit() for each call of the client's requests. */
static void
client_each_call(struct client *client, void (*visit)(struct call *))
{
    for (struct list *of = client->requests.next; of != &client->requests; of = of->next) {
        struct request *request = container_of(of, struct request, link);
        for (struct list *link = request->calls.next; link != &request->calls; link = link->next)
            visit(container_of(link, struct call, of_request));
    }
}

/* A job that has not begun does not begin, because nobody would hear of it. A job that runs goes
 * on. */
static void
call_give_up(struct call *call)
{
    if (call_awaits_any(call)) {
        call_leave_barrier(call);
        if (call->job != NULL) {
            job_unrun(call->job, REASON_CLIENT_GONE, 0);
        } else {
            call->request->client->loss.commands++;
            call_end(call, OUTCOME_STOPPING);
        }
    } else if (call->ongoing && call->outcome == OUTCOME_PENDING) {
        call_end(call, OUTCOME_STOPPING);
    }
}

/* Schedules the call's driver, so that driver_unqueue() drops the call if it cannot be sent. */
static void
call_unqueue(struct call *call)
{
    if (call->driver != NULL)
        driver_send_later(call->driver);
}

/* Counts and drops the lines that the client has sent and that will not be run. Notes if the last
 * one is half a line. */
static void
client_drop_lines(struct client *client)
{
    struct buffer *input = &client->input;
    bool half_line = false;
    ssize_t n = 1;

    for (int reads = 0; n > 0 && reads < READS_TO_DROP; reads++) {
        for (size_t i = input->start; i < input->end; i++) {
            half_line = input->data[i] != '\n';
            client->loss.commands += !half_line;
        }
        buffer_consume(input, buffer_used(input));
        if (!buffer_prepare(input))
            break;
        n = stream_read(&client->in, input->data, BLOCK_SIZE);
        input->end = n > 0 ? (size_t)n : 0;
    }
    client->loss.half_line |= half_line;
    buffer_consume(input, 0);
}

void
client_give_up(struct client *client)
{
    if (!list_empty(&client->waiting))
        call_end(client_resume(client), OUTCOME_STOPPING);
    if (!list_empty(&client->held)) {
        list_remove(&client->held);
        client_drop_lines(client);
        client->input_state = INPUT_QUIT;
    }
    client_each_call(client, call_give_up);
}

void
client_gone(struct client *client)
{
    client_mark_gone(client);
    if (client->input_state != INPUT_OPEN)
        client_drop_half_line(client);
    client_give_up(client);
    client_each_call(client, call_unqueue);
    client_wake(client);
}

void
client_failed(struct client *client, const char *what, int error)
{
    if (client != &console) {
        client_gone(client);
        return;
    }
    if (client->output_state == OUTPUT_FAILED && client->input_state != INPUT_OPEN)
        return; /* this was logged before */
    client->output_state = OUTPUT_FAILED;
    client_break_input(client);
    log_line("%s: %s", what, strerror(error));
    if (!options_serve_others())
        phase_fail();
}

void
console_interrupt(bool at_once)
{
    console.interrupted |= console.input_state == INPUT_OPEN;
    phase_stop(at_once);
}

/* Stops the server as SIGHUP does, if that has not come yet. When a terminal was hung up, isatty(3)
 * fails with EIO. */
void
client_output_failed(struct client *client, int error)
{
    if (client != &console || error != EIO || (!isatty(client->out.fd) && errno != EIO)) {
        client_failed(client, "cannot write standard output", error);
        return;
    }
    client->output_state = OUTPUT_FAILED;
    if (!options_serve_others())
        console_interrupt(false);
    client_hang_up(client);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A read has returned n, not above 0, and error is its errno: the end of the input, or an error. */
static void
client_read_ended(struct client *client, ssize_t n, int error)
{
    bool gone = client->output_state == OUTPUT_GONE;

    if (n == 0 && client->terminal && !isatty(client->in.fd)) {
        client_hang_up(client);
    } else if (n == 0 && !gone) {
        client_end_input(client);
    } else if (n == 0 || error == ECONNRESET) {
        client_break_input(client);
    } else if (error == EIO && client->terminal) {
        client_terminal_refused(client);
    } else if (error == EAGAIN && gone) {
        client_break_input(client); /* it shut down only its receiving side: it does not listen */
    } else if (error != EAGAIN && error != EINTR) {
        client_break_input(client);
        client_failed(client, "cannot read standard input", error);
    }
}

bool
client_last_line_counts(struct client *client)
{
    struct pollfd hangup = {.fd = client->in.fd};

    if (client->input_state == INPUT_OPEN)
        return false;
    if (client != &console && poll(&hangup, 1, 0) > 0)
        client_gone(client);
    return client->output_state != OUTPUT_GONE;
}

void
client_read(struct client *client)
{
    struct buffer *input = &client->input;

    if (client->input_state == INPUT_ENDED)
        return;
    /* Leaves the last block for replies, because writing replies is what frees memory. */
    if (!buffers_available(input->data == NULL ? 2 : 0) || !buffer_prepare(input)) {
        client_lacks_memory(client);
        client_wake(client); /* in its turn, epoll stops watching it */
        return;
    }
    if (buffer_room(input) == 0)
        return;
    size_t room = buffer_room(input);
    ssize_t n = stream_read(&client->in, input->data + input->end, room);
    int error = errno;
    client->more = n == (ssize_t)room;
    if (n > 0 && options.progress && client == &console && client->in.kind != STREAM_FILE)
        tally_input(input->data + input->end, (size_t)n);
    if (n > 0)
        input->end += (size_t)n;
    buffer_consume(input, 0); /* gives back the block if nothing was read */
    if (n > 0)
        client_wake(client);
    else
        client_read_ended(client, n, error);
}

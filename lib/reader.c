#include "reader.h"

#include "clients.h"
#include "clock.h"
#include "fleet.h"
#include "log.h"
#include "options.h"
#include "phase.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static void
client_end_input(struct client *client)
{
    if (client->input_state == INPUT_OPEN)
        client->input_state = INPUT_ENDED;
    client->starved = false; /* what is left of the input is a line now */
    client_wake(client);
}

/* ---- the terminal ---------------------------------------------------------------------------- */

/* The signal, which is blocked otherwise, is let through to its default action. In an orphaned
 * process group, where no shell could continue us, that does nothing, setpgid(2). */
void
job_stop(int number, pid_t whom)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    kill(whom, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* here we are stopped */
    sigprocmask(SIG_BLOCK, &set, NULL);
    clock_look();
}

/*
 * The terminal refused to be read. If that is because we are in its background, we stop as the
 * kernel would have stopped us, with our whole process group, had SIGTTIN not been blocked,
 * termios(3). That we were continued shows as a pending SIGCONT; its turn will read again. If
 * nothing has stopped us, that is the end of the input, as is a terminal that was hung up.
 */
static void
client_terminal_refused(struct client *client)
{
    pid_t foreground = tcgetpgrp(client->in.fd);
    sigset_t pending;

    if (phase_stopping() || (foreground >= 0 && foreground == getpgrp()))
        return; /* we do not want it any more, or have come to the foreground since */
    if (foreground >= 0) {
        job_stop(SIGTTIN, 0);
        if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT))
            return;
    }
    client_end_input(client);
}

/* ---- clients that are gone, or have failed --------------------------------------------------- */

/* Calls a function for each call of a client's requests. */
static void
client_each_call(struct client *client, void (*visit)(struct call *))
{
    for (struct list *of = client->requests.next; of != &client->requests; of = of->next) {
        struct request *request = container_of(of, struct request, link);
        for (struct list *link = request->calls.next; link != &request->calls; link = link->next)
            visit(container_of(link, struct call, of_request));
    }
}

static void
call_give_up(struct call *call)
{
    if (call->ongoing && call->outcome == OUTCOME_PENDING)
        call_end(call, OUTCOME_STOPPING);
}

/* Schedules the drivers that the client asks something, see driver_unqueue(). */
static void
call_unqueue(struct call *call)
{
    if (call->driver != NULL)
        driver_send_later(call->driver);
}

void
client_give_up(struct client *client)
{
    if (!list_empty(&client->waiting))
        call_end(client_resume(client), OUTCOME_STOPPING);
    if (!list_empty(&client->held)) {
        list_remove(&client->held);
        client->input_state = INPUT_QUIT;
    }
    client_each_call(client, call_give_up);
}

void
client_gone(struct client *client)
{
    client_mark_gone(client);
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
        return; /* and was logged */
    client->output_state = OUTPUT_FAILED;
    client_end_input(client);
    log_line("%s: %s", what, strerror(error));
    if (options.listen_path == NULL)
        phase_fail();
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What follows from a read that returned that: the end, or an error. */
static void
client_read_ended(struct client *client, ssize_t n, int error)
{
    if (n == 0 || error == ECONNRESET) {
        client_end_input(client);
    } else if (error == EIO && client->terminal) {
        client_terminal_refused(client);
    } else if (error == EAGAIN && client->output_state == OUTPUT_GONE) {
        client_end_input(client); /* it could say more, but does not listen */
    } else if (error != EAGAIN && error != EINTR) {
        client_end_input(client);
        client_failed(client, "cannot read standard input", error);
    }
}

void
client_read(struct client *client)
{
    struct buffer *input = &client->input;

    if (client->input_state != INPUT_OPEN)
        return;
    /* The last block is for replies: they make room for what is read. */
    if (!buffers_available(input->data == NULL ? 2 : 0) || !buffer_prepare(input)) {
        client_lacks_memory(client);
        client_wake(client); /* its turn ends that it is watched */
        return;
    }
    if (buffer_room(input) == 0)
        return;
    size_t room = buffer_room(input);
    ssize_t n = stream_read(&client->in, input->data + input->end, room);
    int error = errno;
    client->more = n == (ssize_t)room;
    if (n > 0)
        input->end += (size_t)n;
    buffer_consume(input, 0); /* gives the block back if nothing came */
    if (n > 0)
        client_wake(client);
    else
        client_read_ended(client, n, error);
}

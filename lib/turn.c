#include "turn.h"

#include "clients.h"
#include "clock.h"
#include "command.h"
#include "console.h"
#include "create.h"
#include "each.h"
#include "giver.h"
#include "job_life.h"
#include "log.h"
#include "options.h"
#include "parting.h"
#include "phase.h"
#include "pool.h"
#include "reader.h"
#include "relay.h"
#include "reply.h"

#include <errno.h>
#include <inttypes.h>

enum {
    CLIENT_ROUNDS = 4,       /* of replies, commands and, if there is more, a read */
    CLIENTS_TURN_US = 1000,  /* for the turns of all clients; at least one gets its turn */
    CLIENT_TURN_MIN_US = 20, /* for the turn of each */
    COMMANDS_PER_LOOK = 32,  /* commands that are run between two looks at the clock */
    /* A client that has JOBS_MAX jobs is not read from, even if they are Done and only wait for an
     * earlier reply. If all clients together have JOBS_ALL_MAX jobs, or command lines of
     * JOBS_BYTES_MAX, none that has at least JOBS_LEAST jobs is read from. A job takes about 350
     * bytes and its command line. */
    JOBS_MAX = 110000,
    JOBS_ALL_MAX = 220000,
    JOBS_BYTES_MAX = 32 * 1024 * 1024,
    JOBS_LEAST = 64,
};

/* ---- commands in ----------------------------------------------------------------------------- */

enum line {
    LINE_NONE,
    LINE_WHOLE,
    LINE_TOO_LONG,
};

/* Whether a line is longer than max, or may have been: a terminal in canonical mode silently cuts a
 * line to 4095 bytes, termios(3), and half a command is another command. */
static bool
line_is_too_long(const struct client *client, size_t size, size_t max)
{
    return size >= LINE_MAX_SIZE - 1 && (size > max || client->terminal);
}

/* Finds the next line of the input. *line is the line without its newline; *size is how many bytes
 * of the input it takes. */
static enum line
client_line(struct client *client, struct span *line, size_t *size)
{
    const struct buffer *input = &client->input;
    size_t used = buffer_used(input);

    if (used == 0)
        return LINE_NONE;
    const char *at = input->data + input->start;
    const char *newline = memchr(at, '\n', used);
    *size = newline != NULL ? (size_t)(newline - at) + 1 : used;
    *line = (struct span){.at = at, .size = newline != NULL ? *size - 1 : used};
    if (line_is_too_long(client, line->size, LINE_MAX_SIZE - 1) || client->skipping_line)
        return LINE_TOO_LONG;
    if (newline == NULL && (!client_last_line_counts(client) || client_halted(client) != NULL))
        return LINE_NONE;
    if (line->size > 0 && line->at[line->size - 1] == '\r')
        line->size--;
    return LINE_WHOLE;
}

/* Does the same for a name, which may be as long as EACH_NAME_MAX, and may have any byte. */
static enum line
client_name(struct client *client, struct span *name, size_t *size)
{
    const struct buffer *input = &client->input;
    size_t used = buffer_used(input);

    if (used == 0)
        return LINE_NONE;
    const char *at = input->data + input->start;
    const char *end = memchr(at, client_separator(client), used);
    *size = end != NULL ? (size_t)(end - at) + 1 : used;
    *name = (struct span){.at = at, .size = end != NULL ? *size - 1 : used};
    if (line_is_too_long(client, name->size, EACH_NAME_MAX) || client->skipping_line)
        return LINE_TOO_LONG;
    if (end == NULL && (!client_last_line_counts(client) || client_halted(client) != NULL))
        return LINE_NONE;
    return LINE_WHOLE;
}

static enum handling
client_refuse_line(struct client *client, const struct span *piece)
{
    if (client_gives_names(client))
        return each_refuse(client, piece);
    enum handling handling = client_error(client, "line_too_long", "line too long (limit %d bytes)",
                                          LINE_MAX_SIZE - client->terminal);
    bool gives_job = line_begins(piece, "run") || line_begins(piece, "submit");
    if (handling == COMMAND_TAKEN && gives_job)
        client_job_refused(client);
    return handling;
}

/* Drops a line that is too long, or the next piece of it; size is the size of that piece. The Error
 * comes as soon as the line is known to be too long. */
static enum handling
client_skip_line(struct client *client, size_t size)
{
    struct span piece = {client->input.data + client->input.start, size};
    bool whole = piece.at[size - 1] == client_separator(client);

    if (!client->skipping_line && client_refuse_line(client, &piece) == COMMAND_HELD)
        return COMMAND_HELD;
    client->skipping_line = !whole;
    return COMMAND_TAKEN;
}

/* Whether the client is owed too much. Its commands then wait until most of that is written,
 * because running many at a time is cheaper than running a few many times. */
static bool
client_owed_enough(struct client *client)
{
    if (client->owed >= client_share())
        client->full = true;
    else if (client->owed <= client_share() / 4)
        client->full = false;
    return client->full;
}

static bool
client_gave_enough(const struct client *client)
{
    return client->jobs >= JOBS_MAX ||
           (client->jobs >= JOBS_LEAST &&
            (jobs_count() >= JOBS_ALL_MAX || job_texts_bytes() >= JOBS_BYTES_MAX));
}

/* Whether the client's next command may be run. */
__attribute__((always_inline)) static inline bool
client_willing(struct client *client)
{
    return client->input_state != INPUT_QUIT && client->barrier == NULL &&
           list_empty(&client->held) && !client_gave_enough(client) &&
           client->output_state != OUTPUT_WAITS && !phase_warming() && !client_owed_enough(client);
}

/* Some editors begin a file with a byte order mark, the character U+FEFF, which is no part of the
 * first command. */
static void
client_skip_mark(struct client *client)
{
    struct buffer *input = &client->input;

    if (buffer_used(input) >= 3 && memcmp(input->data + input->start, "\xef\xbb\xbf", 3) == 0)
        buffer_consume(input, 3);
}

/* Runs the commands that are in the input, or the jobs for the names, but not beyond until_ns.
 * Returns whether there were any. It is compiled for each of the two, so that a command does not
 * pay for what names need. */
__attribute__((always_inline)) static inline bool
client_execute_all(struct client *client, bool names, int64_t until_ns)
{
    enum handling handling = COMMAND_TAKEN;
    struct span line;
    size_t size;
    int taken = 0;

    client->starved = false;
    if (client->lines == 0 && !names)
        client_skip_mark(client);
    while (client_willing(client)) {
        enum line kind =
            names ? client_name(client, &line, &size) : client_line(client, &line, &size);
        client->starved = kind == LINE_NONE;
        if (kind == LINE_WHOLE)
            handling = names ? each_run(client, &line) : command_run(client, &line);
        else if (kind == LINE_TOO_LONG)
            handling = client_skip_line(client, size);
        if (client->starved || handling == COMMAND_HELD)
            break;
        buffer_consume(&client->input, size);
        if (client->prompt == PROMPT_SHOWN)
            client->prompt = PROMPT_HIDDEN;
        if (++taken % COMMANDS_PER_LOOK == 0 && clock_ns() >= until_ns)
            break;
    }
    client->lines += (unsigned)taken;
    if (handling == COMMAND_HELD && list_empty(&client->held))
        client_lacks_memory(client);
    return taken > 0;
}

__attribute__((noinline)) static bool
client_execute_names(struct client *client, int64_t until_ns)
{
    return client_execute_all(client, true, until_ns);
}

static bool
client_execute(struct client *client, int64_t until_ns)
{
    return client_gives_names(client) ? client_execute_names(client, until_ns)
                                      : client_execute_all(client, false, until_ns);
}

/* Whether to read without waiting for epoll: a file is always ready, a read that filled the block
 * has probably left more, and a client that is gone has already sent everything. */
static bool
client_reads_on(const struct client *client)
{
    return (client->in.kind == STREAM_FILE || client->more ||
            client->output_state == OUTPUT_GONE) &&
           client->starved && client->input_state == INPUT_OPEN && !phase_stopping() &&
           list_empty(&client->lacking);
}

/* The server is stopping: reads what a connection has sent so far, which still gets its Errors. */
static void
client_hear_out(struct client *client)
{
    client->heard_out = true;
    if (client == &console) {
        console_stopping();
        return;
    }
    client_read(client);
    client_read(client); /* the second read notices that the client has sent everything, if so */
}

/* ---- replies out ----------------------------------------------------------------------------- */

/* Writes the output. What cannot be written now waits for EPOLLOUT. */
static void
client_flush(struct client *client)
{
    struct buffer *out = &client->output;

    if (client == &console && buffer_used(out) > 0 && client->output_state == OUTPUT_OPEN)
        log_end_line();
    while (buffer_used(out) > 0 && client->output_state != OUTPUT_WAITS) {
        ssize_t n = client->output_state != OUTPUT_OPEN
                        ? (ssize_t)buffer_used(out)
                        : stream_write(&client->out, out->data + out->start, buffer_used(out));
        if (n >= 0)
            buffer_consume(out, (size_t)n);
        else if (errno == EAGAIN)
            client->output_state = OUTPUT_WAITS;
        else if (errno != EINTR)
            client_output_failed(client, errno);
    }
    if (client->output_full && client->output_state != OUTPUT_WAITS)
        client_wake(client);
}

/* The end of standard input waits for the jobs that it has submitted, unless the server goes on. */
static bool
client_jobs_ended(const struct client *client)
{
    return client != &console || options_serve_others() || client->giver->jobs == 0;
}

/* Whether nothing more will be read from the client, run or answered. */
static bool
client_answered(const struct client *client)
{
    return (client->input_state != INPUT_OPEN || phase_stopping()) &&
           list_empty(&client->requests) &&
           (client->input_state == INPUT_QUIT || client->starved) && client_jobs_ended(client);
}

bool
client_finished(const struct client *client)
{
    return client_answered(client) && buffer_used(&client->output) == 0 &&
           client->farewell == FAREWELL_NONE;
}

/* Writes the farewell that is due, if there is room. There is none if the server ends the session:
 * the client may have more to say, and must notice that it was not heard. */
static void
client_bid_farewell(struct client *client)
{
    if (client->input_state == INPUT_OPEN && client->farewell != FAREWELL_OWED) {
        client->farewell = FAREWELL_NONE;
    } else if (!buffer_prepare(&client->output)) {
        client_lacks_memory(client);
    } else if (buffer_room(&client->output) > 0) {
        buffer_append_string(&client->output, FAREWELL);
        client->farewell = FAREWELL_NONE;
    }
}

/* Shows the prompt, if the next command is awaited. It would tear what a job is writing. */
static void
client_prompt(struct client *client)
{
    if (client->prompt != PROMPT_HIDDEN || !client->starved || client->input_state != INPUT_OPEN ||
        phase_stopping() || !list_empty(&client->requests) || buffer_used(&client->output) > 0 ||
        relay_is_active())
        return;
    log_end_line();
    if (stream_write(&client->out, "> ", 2) == 2)
        client->prompt = PROMPT_SHOWN;
}

/* ---- the turn -------------------------------------------------------------------------------- */

/* Whether to read as much as there is room for while the next command must wait. The kernel's
 * buffer of a terminal has 4 KiB, and once it is full, not even Ctrl+C is seen. And --progress
 * knows how many jobs there are only when the end of the input is read. */
static bool
client_reads_ahead(const struct client *client)
{
    bool counts = options.progress && client == &console && client->prompt == PROMPT_NONE;

    return (client->terminal || counts) && buffer_used(&client->input) < BLOCK_SIZE;
}

/* Makes epoll watch for what the client waits for. epoll always reports that a connection's other
 * end is closed, epoll_ctl(2). After that nothing is watched, because everything that is left to
 * read has arrived. */
static void
client_watch(struct client *client)
{
    bool reads = (client->starved || client_reads_ahead(client)) &&
                 client->input_state == INPUT_OPEN && !phase_stopping() &&
                 list_empty(&client->lacking);
    uint32_t in = reads ? EPOLLIN : 0, out = client->output_state == OUTPUT_WAITS ? EPOLLOUT : 0;

    if (client != &console) {
        uint32_t events = client->output_state == OUTPUT_GONE ? 0 : EPOLLHUP | in | out;
        if (!source_watch(&client->in.source, events))
            client_failed(client, "cannot watch it", errno);
        return;
    }
    if (client->input_state != INPUT_OPEN)
        console_end_input();
    if (client->in.kind != STREAM_FILE && !source_watch(&client->in.source, in))
        client_failed(client, "cannot watch standard input", errno);
    if (!source_watch(&client->out.source, out))
        client_failed(client, "cannot watch standard output", errno);
}

/* Logs what a client that is gone leaves undone and, if that was asked for, that a client has
 * ended. */
static void
client_log_end(struct client *client)
{
    bool gone = client->output_state == OUTPUT_GONE;
    char lost[LOSS_SIZE];
    size_t size = gone ? loss_text(&client->loss, lost) : 0;

    if (options.verbose || size > 0)
        log_line("client %d of user %u %s after %" PRIu64 " line%s%s%.*s", client->peer.pid,
                 client->peer.uid, gone ? "is gone" : "has ended", client->lines,
                 client->lines == 1 ? "" : "s", size > 0 ? ": " : "", (int)size, lost);
    loss_clear(&client->loss);
}

/* Ends a client for which nothing is left to do: closes a connection; or stops the server, if the
 * console is the only client, and otherwise lets go of standard output. */
static void
client_end(struct client *client)
{
    if (client == &console) {
        if (phase_stopping())
            return;
        if (!options_serve_others())
            phase_stop(false);
        else
            console_end();
        resume_forget();
        return;
    }
    client_log_end(client);
    client_part(client);
}

void
clients_end(void)
{
    struct client *client;

    while ((client = client_first()) != NULL)
        client_end(client);
    partings_end();
}

/* Writes replies and runs commands, until neither goes on or until until_ns. Returns whether there
 * may be more to do. */
static bool
client_go_on(struct client *client, int64_t until_ns)
{
    bool progress = true, more;

    for (int i = 0; i < CLIENT_ROUNDS && progress; i++) {
        progress = client_reply(client);
        progress |= client_execute(client, until_ns);
        if (client_reads_on(client))
            client_read(client);
    }
    if (client->output_state == OUTPUT_GONE)
        client_give_up(client);
    if (client->barrier != NULL) {
        do
            progress |= more = create_continue(client->barrier);
        while (more && clock_ns() < until_ns);
    }
    return progress;
}

static void
client_turn(struct client *client, int64_t until_ns)
{
    bool freed = pool_freed;

    list_remove(&client->runnable);
    if (phase_stopping() && !client->heard_out)
        client_hear_out(client);
    if (client_go_on(client, until_ns))
        client_wake(client);
    else if (!list_empty(&client->lacking))
        pool_freed = freed; /* only what others freed counts: its own was not enough */
    if (client->farewell != FAREWELL_NONE && client_answered(client))
        client_bid_farewell(client);
    client_flush(client);
    client_prompt(client);
    client_watch(client);
    if (client_finished(client))
        client_end(client);
}

/* Returns how long a client's turn may be: an equal share of the time, but at least the minimum. */
static int64_t
clients_share_ns(void)
{
    const struct list *runnable = clients_runnable();
    int64_t share_us = CLIENTS_TURN_US;
    int count = 0;

    for (const struct list *link = runnable->next;
         link != runnable && share_us > CLIENT_TURN_MIN_US; link = link->next)
        share_us = CLIENTS_TURN_US / ++count;
    return share_us * NS_PER_US;
}

void
clients_run(void)
{
    struct list *runnable = clients_runnable();
    const struct list *link, *last = runnable->prev;

    if (list_empty(runnable))
        return;
    int64_t share_ns = clients_share_ns(), now_ns = clock_ns();
    int64_t until_ns = now_ns + CLIENTS_TURN_US * NS_PER_US;
    do {
        link = runnable->next;
        client_turn(container_of(link, struct client, runnable), now_ns + share_ns);
        now_ns = clock_ns();
    } while (link != last && now_ns < until_ns);
}

#include "session.h"

#include "buffer.h"
#include "control.h"
#include "options.h"
#include "signals.h"
#include "stream.h"
#include "turn.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STATUS_ERROR = 1,       /* a reply was an Error */
    STATUS_NO_SERVER = 3,   /* there is no server, or it went away before its last reply */
    STATUS_JOB_FAILED = 4,  /* a job that was given on standard input has failed */
    STATUS_TIMEOUT = 124,   /* that of timeout(1) */
    STATUS_UNKNOWN = 125,   /* the job was cancelled or refused, did not run, or is lost */
    STATUS_SIGNALLED = 128, /* and the number of the signal, as of a shell */
};

enum session_input {
    INPUT_COMES,
    INPUT_OVER,   /* standard input has ended */
    INPUT_TOLD,   /* standard input has ended, and the server knows */
    INPUT_UNSENT, /* a command could not be sent */
};

/* Commands go up to the server, from standard input or the command line; replies come down from
 * it. */
static struct session {
    struct stream in, out;
    struct source socket, signals;
    struct buffer up, down;
    enum session_input input;
    bool down_ended; /* nothing more will come from the server */
    bool farewell;   /* the last byte received was the FAREWELL, see turn.h: replies are complete */
    bool error;      /* a reply was an Error */
    bool job_failed; /* a reply was a Done that is not exit 0 */
    int job_status;  /* what the last Done that was received makes of the exit status; -1: none */
    bool for_job;    /* the one command is on the command line, and gives a job */
    bool prompts;    /* both ends are at a terminal, and the server shows a prompt */
    bool prompted;   /* the prompt is the last thing that was received */
    char line[96];   /* the beginning of the line that is being received, which shows what it is */
    size_t line_size;
    int signal; /* the signal that ends us; 0: none yet */
} session;

/* Does nothing: an event only ends the wait, and each turn tries every read and write that is
 * possible. */
static void
session_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

static void
session_signalled(struct source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    if (signals_read(source, &info, 1) == 1)
        session.signal = (int)info.ssi_signo;
}

/* Returns what follows the word in the line if the line begins with it, or NULL. */
static const char *
after_word(const char *line, const char *word)
{
    size_t size = strlen(word);

    return line != NULL && strncmp(line, word, size) == 0 ? line + size : NULL;
}

static const char *
after_number(const char *line)
{
    return line != NULL ? line + strspn(line, "0123456789") : NULL;
}

/* Returns RESULT in a line that says that a job is Done, or NULL; without the quotation mark before
 * it if the line is JSON. */
static const char *
done_result(const char *line)
{
    const char *at = after_word(after_number(after_word(line, "Job ")), " Done ");
    const char *json = after_number(after_word(line, "{\"job\":"));
    const char *driver = after_number(after_word(json, ",\"driver\":"));

    if (at != NULL)
        return at;
    return after_word(driver != NULL ? driver : json, ",\"");
}

/* Returns the exit status that tells of a RESULT, or -1 if it is none. */
static int
result_status(const char *result)
{
    static const struct {
        const char *word;
        int base;
        bool has_number;
    } words[] = {
        {"exit", 0, true},
        {"signal", STATUS_SIGNALLED, true},
        {"timeout", STATUS_TIMEOUT, false},
        {"cancelled", STATUS_UNKNOWN, false},
        {"unrun", STATUS_UNKNOWN, false},
        {"lost", STATUS_UNKNOWN, false},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *at = after_word(result, words[i].word);
        if (at != NULL && words[i].has_number)
            return words[i].base + (int)strtol(at + strcspn(at, "0123456789"), NULL, 10);
        if (at != NULL)
            return words[i].base;
    }
    return -1;
}

/* A line of a reply is complete, or so long that its rest does not matter. */
static void
session_line(char *line)
{
    line[session.line_size] = '\0';
    session.error |= after_word(line, "Error: ") != NULL || after_word(line, "{\"error\":") != NULL;
    int status = result_status(done_result(line));
    if (status < 0)
        return;
    session.job_status = status;
    session.job_failed |= status != 0;
}

/* Looks for Errors, ends of jobs and prompts in the replies. */
static void
session_scan(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        session.prompted = session.line_size == 1 && session.line[0] == '>' && text[i] == ' ';
        if (text[i] == '\n')
            session_line(session.line);
        if (text[i] == '\n' || session.prompted)
            session.line_size = 0;
        else if (session.line_size < sizeof(session.line) - 1)
            session.line[session.line_size++] = text[i];
    }
}

/* Standard input has ended. A person must know why there is no end yet, if replies are awaited. */
static void
session_input_ended(void)
{
    session.input = INPUT_OVER;
    if (session.prompts && !session.prompted)
        warnx("waiting for the last replies; Ctrl+C ends the client, and jobs go on");
}

static void
session_move_up(void)
{
    struct buffer *up = &session.up;

    if (buffer_used(up) == 0 && session.input == INPUT_COMES && buffer_prepare(up)) {
        ssize_t n = stream_read(&session.in, up->data, BLOCK_SIZE);
        int error = errno;
        if (n > 0) {
            up->end = (size_t)n;
            session.prompted = false;
        } else if (n == 0 || (error == EIO && isatty(session.in.fd))) { /* a hangup */
            session_input_ended();
        } else if (error != EAGAIN && error != EINTR) {
            errno = error;
            err(EXIT_FAILURE, "cannot read standard input");
        }
    }
    if (buffer_used(up) > 0) {
        ssize_t n = send(session.socket.fd, up->data + up->start, buffer_used(up),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            buffer_consume(up, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR) {
            /* There may be replies to earlier commands, but they are not complete. */
            shutdown(session.socket.fd, SHUT_WR);
            session.input = INPUT_UNSENT;
            buffer_consume(up, buffer_used(up));
        }
    }
    if (session.input == INPUT_OVER && buffer_used(up) == 0) {
        shutdown(session.socket.fd, SHUT_WR);
        session.input = INPUT_TOLD;
    }
    if (session.input != INPUT_COMES)
        stream_let_go(&session.in, O_RDONLY); /* so that nobody writes to it in vain */
}

static void
session_move_down(void)
{
    struct buffer *down = &session.down;

    if (buffer_used(down) == 0 && !session.down_ended && buffer_prepare(down)) {
        ssize_t n = recv(session.socket.fd, down->data, BLOCK_SIZE, MSG_DONTWAIT);
        if (n > 0) {
            session.farewell = down->data[n - 1] == FAREWELL[0];
            down->end = (size_t)n - session.farewell;
            session_scan(down->data, down->end);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            session.down_ended = true;
        }
    }
    if (buffer_used(down) > 0) {
        ssize_t n = stream_write(&session.out, down->data + down->start, buffer_used(down));
        if (n >= 0)
            buffer_consume(down, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
            err(EXIT_FAILURE, "cannot write standard output");
    }
}

static void
session_stream_watch(struct stream *stream, uint32_t events)
{
    if (stream->kind != STREAM_FILE && !source_watch(&stream->source, events))
        err(EXIT_FAILURE, "cannot wait for standard input or output");
}

/* Waits until something can be read or written, or a signal comes. */
static void
session_wait(void)
{
    bool reads =
        buffer_used(&session.up) == 0 && session.input == INPUT_COMES && !session.down_ended;
    bool sends = buffer_used(&session.up) > 0;
    bool receives = buffer_used(&session.down) == 0 && !session.down_ended;
    bool writes = buffer_used(&session.down) > 0;
    uint32_t socket_events = 0;

    session_stream_watch(&session.in, reads ? EPOLLIN : 0);
    session_stream_watch(&session.out, writes ? EPOLLOUT : 0);
    if (sends)
        socket_events |= EPOLLOUT;
    if (receives)
        socket_events |= EPOLLIN;
    if (!source_watch(&session.socket, socket_events))
        err(EXIT_FAILURE, "cannot wait for the server");
    /* A file is always ready. */
    sources_wait(reads && session.in.kind == STREAM_FILE ? 0 : -1);
}

/* Connects; waits if the server's backlog is full, connect(2). Exits if there is no server. */
static void
session_connect(void)
{
    struct sockaddr_un address = control_address(options.connect_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        err(EXIT_FAILURE, "cannot create a socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(STATUS_NO_SERVER, "no server answers at %s", options.connect_path);
    session.socket = (struct source){.fd = fd, .ready = session_ready};
}

/* Opens a signalfd for the signals that end us, except those that we inherited as ignored. The
 * signals that stop and continue a job of the shell are left to the kernel. */
static void
session_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction action;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (!signals_open(&session.signals, &set, session_signalled))
        err(EXIT_FAILURE, "cannot create a signalfd");
}

/* Joins the words of a command into a line. Exits if that is not possible. */
static void
session_put_command(char **words)
{
    size_t start = session.up.end;

    for (; *words != NULL; words++) {
        if (strchr(*words, '\n') != NULL)
            usage_error("a command is one line");
        if (session.up.end - start + strlen(*words) + 1 > LINE_MAX_SIZE)
            usage_error("command too long (limit %d bytes)", LINE_MAX_SIZE);
        buffer_append_string(&session.up, *words);
        buffer_append_string(&session.up, words[1] != NULL ? " " : "\n");
    }
    struct span line = {session.up.data + start, session.up.end - start - 1};
    session.for_job = line_begins(&line, "run");
    session.input = INPUT_OVER;
}

static void
session_open(char **words)
{
    session.prompts = words[0] == NULL && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (!sources_open() || !buffer_prepare(&session.up))
        err(EXIT_FAILURE, "cannot start");
    buffer_append_string(&session.up, "session farewell");
    buffer_append_string(&session.up, options.json ? " json" : "");
    buffer_append_string(&session.up, session.prompts ? " prompt\n" : "\n");
    session.in = (struct stream){.source.fd = STDIN_FILENO, .fd = STDIN_FILENO};
    if (words[0] != NULL)
        session_put_command(words);
    else if (!stream_open(&session.in, STDIN_FILENO, O_RDONLY))
        err(EXIT_FAILURE, "cannot read standard input");
    if (!stream_open(&session.out, STDOUT_FILENO, O_WRONLY))
        err(EXIT_FAILURE, "cannot write standard output");
    session.in.source.ready = session.out.source.ready = session_ready;
    session_connect();
    session_signals();
}

/* All replies have been received: returns the exit status. */
static int
session_status(void)
{
    if (session.for_job)
        return session.job_status >= 0 ? session.job_status : STATUS_UNKNOWN;
    if (session.error)
        return STATUS_ERROR;
    return session.job_failed ? STATUS_JOB_FAILED : EXIT_SUCCESS;
}

int
session_run(char **words)
{
    session.job_status = -1;
    session_open(words);
    for (;;) {
        session_move_up();
        session_move_down();
        if (session.signal != 0 || (session.down_ended && buffer_used(&session.down) == 0))
            break;
        session_wait();
    }
    if (session.prompted)
        stream_write(&session.out, "\n", 1); /* so that the shell's prompt starts a new line */
    buffers_close();
    if (session.signal != 0) {
        /* The program that started us must see which signal ended us, wait(2). */
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, session.signal);
        raise(session.signal);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    if (!session.farewell || session.input == INPUT_UNSENT)
        errx(STATUS_NO_SERVER, "the server at %s has ended the connection", options.connect_path);
    return session_status();
}

#include "session.h"

#include "buffer.h"
#include "compose.h"
#include "format.h"
#include "listener.h"
#include "options.h"
#include "peer.h"
#include "signals.h"
#include "stream.h"
#include "turn.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STATUS_ERROR = 1,       /* a reply was an Error */
    STATUS_NO_SERVER = 3,   /* there is no server, or it went away before its last reply */
    STATUS_JOB_FAILED = 4,  /* commands come from standard input, and a job has failed */
    STATUS_TIMEOUT = 124,   /* as timeout(1) has it */
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
    struct buffer composed; /* with --here: the lines of up as they are sent */
    size_t half; /* how much of up, at its end, is a line whose rest has not been read yet */
    enum session_input input;
    bool begun;      /* something of the input was read */
    bool composes;   /* commands are read from standard input, and --here changes them */
    bool down_ended; /* nothing more will come from the server */
    bool farewell;   /* the last byte received was the FAREWELL, see turn.h: replies are complete */
    bool error;      /* a reply was an Error */
    bool job_failed; /* a reply was a Done that is not exit 0 */
    int job_status;  /* the exit status that the last Done asks for; -1: none was received */
    bool in_words;   /* the one command is on the command line */
    bool for_job;    /* and its reply is how a job ended */
    bool submits;    /* and its reply is that only if the job was not taken */
    bool terminal;   /* standard input is one */
    bool prompts;    /* both ends are at a terminal, and the server shows a prompt */
    bool prompted;   /* the prompt is the last thing that was received */
    char line[96];   /* the beginning of the line that is being received, which shows what it is */
    size_t line_size;
    bool listed; /* the line has a tab: it is of the list of get_jobs all, and no end of a job */
    sigset_t ending; /* the signals that end us */
    int signal;      /* the one that has come; 0: none yet */
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

/* Returns RESULT in a line that says that a job is Done, or NULL. If the line is JSON, it is
 * without the quotation mark before it. */
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

/* Returns the exit status for a RESULT, or -1 if the text is none. */
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
    if (status < 0 || session.listed)
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
        session.listed = text[i] != '\n' && (session.listed || text[i] == '\t');
        if (text[i] == '\n' || session.prompted)
            session.line_size = 0;
        else if (session.line_size < sizeof(session.line) - 1)
            session.line[session.line_size++] = text[i];
    }
}

/* Standard input has ended. If replies are awaited, tells a person at a prompt why the client does
 * not end yet. */
static void
session_input_ended(void)
{
    session.input = INPUT_OVER;
    if (!session.prompts || session.prompted)
        return;
    /* If Ctrl+S holds the terminal, we wait here; so the signals must be able to end us. */
    sigprocmask(SIG_UNBLOCK, &session.ending, NULL);
    warnx("waiting for the last replies; Ctrl+C ends the client, and jobs go on");
    sigprocmask(SIG_BLOCK, &session.ending, NULL);
}

/* How much can be sent. Half a line is not sent, because we may be killed before we have the rest,
 * and half a command is another command. */
static size_t
session_sendable(void)
{
    return buffer_used(&session.up) - session.half;
}

/* Something was read. A byte order mark, with which some editors begin a file, is no part of the
 * first command. */
static void
session_hold_half(void)
{
    struct buffer *up = &session.up;
    const char *newline = memrchr(up->data + up->start, '\n', buffer_used(up));

    session.half = newline != NULL ? (size_t)(up->data + up->end - newline) - 1 : buffer_used(up);
    if (session.half >= LINE_MAX_SIZE)
        session.half = 0; /* it is too long, and will not be run */
    if (session_sendable() == 0)
        return;
    if (!session.begun && buffer_used(up) >= 3 && memcmp(up->data, "\xef\xbb\xbf", 3) == 0)
        buffer_consume(up, 3);
    session.begun = true;
}

/* A terminal cuts a line that is too long to 4095 bytes, see line_is_too_long() in lib/turn.c. Adds
 * a byte to a line of that length, so that the server refuses it. A terminal gives one line at a
 * time, and it is the last one. */
static void
session_refuse_cut_line(void)
{
    struct buffer *up = &session.up;
    const char *last = up->data + up->end - 1;

    if (!session.terminal || *last != '\n' || buffer_room(up) == 0)
        return;
    const char *newline = memrchr(up->data + up->start, '\n', buffer_used(up) - 1);
    const char *line = newline != NULL ? newline + 1 : up->data + up->start;
    if (last - line < LINE_MAX_SIZE - 1)
        return;
    up->data[up->end - 1] = ' ';
    buffer_append(up, "\n", 1);
}

/* The last line counts without its newline. But if we are asked to end just now, as by a Ctrl+C for
 * the whole pipeline, whoever wrote to us may have died in the middle of a line. */
static void
session_end_input(void)
{
    session_signalled(&session.signals, EPOLLIN);
    if (session.signal != 0)
        return;
    if (session.half > 0) {
        buffer_append(&session.up, "\n", 1);
        session_refuse_cut_line();
        session_hold_half();
    }
    session_input_ended();
}

/* The terminal was hung up. */
static void
session_drop_half(void)
{
    session.up.end -= session.half;
    session.half = 0;
    buffer_consume(&session.up, 0);
    session_input_ended();
}

/* With --here: takes the lines of up, as far as there is room for what becomes of them. The server
 * refuses a line that is too long, so such a line, or a piece of it, goes on as it is. */
static void
session_compose(void)
{
    struct buffer *up = &session.up, *composed = &session.composed;
    size_t sendable;

    while ((sendable = session_sendable()) > 0) {
        const char *at = up->data + up->start;
        const char *newline = memchr(at, '\n', sendable);
        size_t size = newline != NULL ? (size_t)(newline - at) + 1 : sendable;
        bool as_it_is = newline == NULL || size > LINE_MAX_SIZE;
        if (buffer_room(composed) < size + (as_it_is ? 0 : COMPOSE_HERE_MAX))
            return;
        if (as_it_is)
            buffer_append(composed, at, size);
        else
            compose_line(composed, &(struct span){at, size - 1});
        buffer_consume(up, size);
    }
}

static void
session_read(void)
{
    struct buffer *up = &session.up;
    ssize_t n = stream_read(&session.in, up->data + up->end, buffer_room(up));
    int error = errno;

    if (n > 0) {
        up->end += (size_t)n;
        session.prompted = false;
        session_refuse_cut_line();
        session_hold_half();
    } else if (session.terminal && (n == 0 ? !isatty(session.in.fd) : error == EIO)) {
        session_drop_half();
    } else if (n == 0) {
        session_end_input();
    } else if (error != EAGAIN && error != EINTR) {
        errno = error;
        err(EXIT_FAILURE, "cannot read standard input");
    }
}

/* How much has been read and not been sent yet, without half a line. */
static size_t
session_unsent(void)
{
    return session_sendable() + buffer_used(&session.composed);
}

static void
session_send(struct buffer *buffer, size_t size)
{
    ssize_t n =
        send(session.socket.fd, buffer->data + buffer->start, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0) {
        buffer_consume(buffer, (size_t)n);
    } else if (errno != EAGAIN && errno != EINTR) {
        /* There may be replies to earlier commands, but they are not complete. */
        shutdown(session.socket.fd, SHUT_WR);
        session.input = INPUT_UNSENT;
        session.half = 0;
        buffer_consume(&session.up, buffer_used(&session.up));
        buffer_consume(&session.composed, buffer_used(&session.composed));
    }
}

static void
session_move_up(void)
{
    struct buffer *up = &session.up, *composed = &session.composed;

    if (session_unsent() == 0 && session.input == INPUT_COMES && buffer_prepare(up))
        session_read();
    if (session.composes && session_sendable() > 0 && buffer_prepare(composed))
        session_compose();
    if (buffer_used(composed) > 0)
        session_send(composed, buffer_used(composed));
    else if (!session.composes && session_sendable() > 0)
        session_send(up, session_sendable());
    if (session.input == INPUT_OVER && buffer_used(up) + buffer_used(composed) == 0) {
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
    bool reads = session_unsent() == 0 && session.input == INPUT_COMES && !session.down_ended;
    bool sends = session_unsent() > 0;
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

/* Whether that user's server may hear our commands: our own user's, root's, and if we are root, any
 * user's. */
static bool
user_trusted(uid_t uid)
{
    return uid == geteuid() || uid == 0 || geteuid() == 0;
}

__attribute__((noreturn)) static void
session_refuse(uid_t uid)
{
    errx(STATUS_NO_SERVER, "the server at %s is another user's (user %u): nothing was sent to it",
         options.connect_path, uid);
}

/*
 * Exits if another user has made the socket's file, since he could keep us waiting in connect() for
 * ever; or a link at the path, which could lead us, even as root, to another server of our own. In
 * a sticky directory such as /tmp he cannot replace what is ours or root's. Elsewhere he may
 * replace it after we have looked, but session_check_peer() still finds that a server is his. If
 * there is nothing to look at, connect() says why.
 */
static void
session_check_file(void)
{
    struct stat file;

    if (lstat(options.connect_path, &file) == 0 && S_ISLNK(file.st_mode) &&
        file.st_uid != geteuid() && file.st_uid != 0)
        session_refuse(file.st_uid);
    if (stat(options.connect_path, &file) == 0 && !user_trusted(file.st_uid))
        session_refuse(file.st_uid);
}

/* Exits if the process that listens is another user's. */
static void
session_check_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        err(STATUS_NO_SERVER, "cannot find out whose server is at %s", options.connect_path);
    if (!user_trusted(peer.uid) || !peer_is_user(&peer))
        session_refuse(peer.uid);
}

/* Connects; waits if the server's backlog is full, connect(2). Exits if there is no server, or one
 * that we do not trust: we have sent it nothing then, and read nothing of what it may have said. */
static void
session_connect(void)
{
    struct sockaddr_un address = listener_address(options.connect_path);
    int fd = listener_socket(0);

    if (fd < 0)
        err(EXIT_FAILURE, "cannot create a socket");
    session_check_file();
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(STATUS_NO_SERVER, "no server answers at %s", options.connect_path);
    session_check_peer(fd);
    session.socket = (struct source){.fd = fd, .ready = session_ready};
}

/* No signal stops process 1 of a pid namespace. In the background of a terminal, the kernel would
 * try its read again and again. With the signal blocked, the read fails with EIO, the end of the
 * input. */
static void
terminal_signals_block(void)
{
    sigset_t set;

    if (getpid() != 1)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGTTIN);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Opens a signalfd for the signals that end us, except those that we inherited as ignored. The
 * signals that stop and continue a job of the shell are left to the kernel. */
static void
session_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction action;

    sigemptyset(&session.ending);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&session.ending, numbers[i]);
    sigprocmask(SIG_BLOCK, &session.ending, NULL);
    if (!signals_open(&session.signals, &session.ending, session_signalled))
        err(EXIT_FAILURE, "cannot create a signalfd");
    terminal_signals_block();
}

/* Makes a line of the words of a command. Exits if that is not possible. */
static void
session_put_command(char **words)
{
    struct buffer *composed = &session.composed;
    size_t start = session.up.end;

    if (!buffer_prepare(composed))
        err(EXIT_FAILURE, "cannot start");
    compose_words(composed, words);
    struct span line = {composed->data, buffer_used(composed)};
    compose_line(&session.up, &line);
    if (session.up.end - start > LINE_MAX_SIZE)
        usage_error("command too long with --here (limit %d bytes)", LINE_MAX_SIZE);
    session.for_job = line_begins(&line, "run") || line_begins(&line, "wait_job");
    session.submits = line_begins(&line, "submit");
    buffer_consume(composed, line.size);
    session.input = INPUT_OVER;
}

static void
session_open(char **words)
{
    const struct format *format = format_chosen();

    session.in_words = words[0] != NULL;
    session.composes = options.here && !session.in_words;
    session.terminal = !session.in_words && isatty(STDIN_FILENO);
    session.prompts = session.terminal && isatty(STDOUT_FILENO);
    if (options.here)
        compose_open();
    if (!sources_open() || !buffer_prepare(&session.up))
        err(EXIT_FAILURE, "cannot start");
    buffer_append_string(&session.up, "session farewell");
    if (format->name != NULL) {
        buffer_append_string(&session.up, " ");
        buffer_append_string(&session.up, format->name);
    }
    buffer_append_string(&session.up, session.prompts ? " prompt\n" : "\n");
    session.in = (struct stream){.source.fd = STDIN_FILENO, .fd = STDIN_FILENO};
    if (session.in_words)
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
    if (session.submits && session.job_failed)
        return session.job_status;
    if (session.error)
        return STATUS_ERROR;
    return session.job_failed && !session.in_words ? STATUS_JOB_FAILED : EXIT_SUCCESS;
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
        _exit(STATUS_SIGNALLED + session.signal); /* process 1 of a pid namespace gets here */
    }
    if (!session.farewell || session.input == INPUT_UNSENT) {
        sigprocmask(SIG_UNBLOCK, &session.ending, NULL); /* the terminal may be held here, too */
        errx(STATUS_NO_SERVER, "the server at %s has ended the connection", options.connect_path);
    }
    return session_status();
}

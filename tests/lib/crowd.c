/*
 * crowd SOCKET SECONDS: many clients of one server. Lines on standard input say what the clients
 * must do. The program answers each line with one line, "ok" or what is wrong:
 *
 *     attach COUNT             COUNT more clients connect; numbers begin at 1
 *     say FROM TO COUNT TEXT   clients FROM to TO each send that line COUNT times
 *     hear FROM TO COUNT TEXT  the next COUNT lines that each receives match the pattern
 *                              TEXT, fnmatch(3)
 *     end FROM TO              each receives nothing more except the end of input
 *     shut FROM TO             each shuts down its sending side
 *     close FROM TO            each closes its socket
 *     fill CLIENT TEXT         sends that line as often as the socket takes it; the answer is
 *                              ok and the number of bytes
 *     drain CLIENT             receives what has arrived; the answer is ok and the number of
 *                              bytes
 *     flood CLIENT TEXT        fills and drains until, for a moment, neither has moved a byte
 *
 * If a client must wait for longer than SECONDS, that is wrong. TEXT may be several words.
 */
#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 2000,
    LINE_SIZE = 8192,
    FILL_SIZE = 16 * 1024,
    FLOOD_PAUSE_MS = 50,
    FLOOD_IDLE_MAX = 4, /* pauses: longer than the reply timeouts of the tests that flood */
};

struct client {
    int fd;             /* -1 once it has closed its socket */
    size_t used, taken; /* bytes in data: received, and already matched */
    char *data;         /* LINE_SIZE bytes */
    size_t filled;      /* bytes of the last line of fill that were sent, if not all were */
};

static struct client clients[CLIENTS_MAX + 1]; /* by number, from 1 */
static int client_count;
static int timeout_ms;
static const char *path;
static bool answered; /* the current line has an answer that is not just ok */

__attribute__((format(printf, 1, 2))) static void
wrong(const char *format, ...)
{
    va_list args;

    if (answered)
        return;
    answered = true;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void
attach(int count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        errx(2, "path too long");
    memcpy(address.sun_path, path, strlen(path));
    for (; count > 0; count--) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || client_count == CLIENTS_MAX) {
            wrong("no socket");
            return;
        }
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
            wrong("client %d cannot connect: %s", client_count + 1, strerror(errno));
            return;
        }
        struct client *client = &clients[++client_count];
        *client = (struct client){.fd = fd, .data = malloc(LINE_SIZE)};
        if (client->data == NULL)
            err(1, "malloc");
    }
}

/* Waits until the client's socket is ready. Returns false, after an answer, if that takes too
 * long. */
static bool
ready(int number, short events)
{
    struct pollfd one = {.fd = clients[number].fd, .events = events};

    if (poll(&one, 1, timeout_ms) > 0)
        return true;
    wrong("client %d: %s for %d s", number, events == POLLIN ? "nothing came" : "no room",
          timeout_ms / 1000);
    return false;
}

static void
say(int number, long count, const char *text)
{
    size_t length = strlen(text) + 1, size = length * (size_t)count;
    char *lines = malloc(size + 1), *at = lines;

    if (lines == NULL)
        err(1, "malloc");
    for (long i = 0; i < count; i++)
        snprintf(lines + (size_t)i * length, length + 1, "%s\n", text);
    while (size > 0 && ready(number, POLLOUT)) {
        ssize_t sent = send(clients[number].fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            continue;
        if (sent < 0) {
            wrong("client %d cannot send: %s", number, strerror(errno));
            break;
        }
        at += sent;
        size -= (size_t)sent;
    }
    free(lines);
}

/* Returns the client's next line, or NULL at the end. */
static char *
next_line(int number)
{
    struct client *client = &clients[number];

    for (;;) {
        char *line = client->data + client->taken;
        char *end = memchr(line, '\n', client->used - client->taken);
        if (end != NULL) {
            *end = '\0';
            client->taken += (size_t)(end - line) + 1;
            return line;
        }
        memmove(client->data, line, client->used - client->taken);
        client->used -= client->taken;
        client->taken = 0;
        if (client->used == LINE_SIZE || !ready(number, POLLIN))
            return NULL;
        ssize_t got = recv(client->fd, client->data + client->used, LINE_SIZE - client->used, 0);
        if (got < 0)
            wrong("client %d cannot receive: %s", number, strerror(errno));
        if (got <= 0)
            return NULL;
        client->used += (size_t)got;
    }
}

static void
hear(int number, long count, const char *pattern)
{
    for (long i = 1; i <= count && !answered; i++) {
        char *line = next_line(number);
        if (line == NULL)
            wrong("client %d: the end, and not line %ld, %s", number, i, pattern);
        else if (fnmatch(pattern, line, 0) != 0)
            wrong("client %d: line %ld is %s, and not %s", number, i, line, pattern);
    }
}

static void
hear_end(int number)
{
    char *line = next_line(number);

    if (line != NULL)
        wrong("client %d: %s, and not the end", number, line);
    else if (clients[number].used > 0)
        wrong("client %d: part of a line, and then the end", number);
}

/* Returns the number of bytes that the socket took. */
static size_t
fill(int number, const char *text)
{
    struct client *client = &clients[number];
    size_t length = strlen(text) + 1, size = 0, sent_bytes = 0;
    char lines[FILL_SIZE];

    while (size + length <= sizeof(lines)) {
        memcpy(lines + size, text, length - 1);
        size += length;
        lines[size - 1] = '\n';
    }
    for (;;) {
        ssize_t sent = send(client->fd, lines + client->filled, size - client->filled,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            wrong("client %d cannot send: %s", number, strerror(errno));
        if (sent < 0)
            return sent_bytes;
        sent_bytes += (size_t)sent;
        client->filled = (client->filled + (size_t)sent) % length;
    }
}

/* Returns the number of bytes that were there. */
static size_t
drain(int number)
{
    static char data[65536];
    size_t bytes = 0;
    ssize_t got;

    while ((got = recv(clients[number].fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
        bytes += (size_t)got;
    return bytes;
}

static void
flood(int number, const char *text)
{
    struct pollfd one = {.fd = clients[number].fd, .events = POLLIN};

    for (int idle = 0; idle < FLOOD_IDLE_MAX && !answered; idle++) {
        if (fill(number, text) + drain(number) > 0)
            idle = 0;
        poll(&one, 1, FLOOD_PAUSE_MS);
    }
}

static void
say_bytes(size_t bytes)
{
    if (!answered)
        printf("ok %zu\n", bytes);
    answered = true;
}

static void
vanish(int number)
{
    close(clients[number].fd);
    clients[number].fd = -1;
}

/* Does for one client what a line asks for. */
static void
act(const char *what, int number, long count, const char *text)
{
    if (strcmp(what, "say") == 0)
        say(number, count, text);
    else if (strcmp(what, "hear") == 0)
        hear(number, count, text);
    else if (strcmp(what, "end") == 0)
        hear_end(number);
    else if (strcmp(what, "shut") == 0)
        shutdown(clients[number].fd, SHUT_WR);
    else if (strcmp(what, "close") == 0)
        vanish(number);
    else if (strcmp(what, "fill") == 0)
        say_bytes(fill(number, text));
    else if (strcmp(what, "drain") == 0)
        say_bytes(drain(number));
    else if (strcmp(what, "flood") == 0)
        flood(number, text);
    else
        wrong("what is %s?", what);
}

static void
obey(const char *line)
{
    char what[16] = "";
    long count = 1;
    int from = 0, to = 0, text_at = 0;

    if (sscanf(line, "attach %ld", &count) == 1) {
        attach((int)count);
        return;
    }
    sscanf(line, "%15s", what);
    if (strcmp(what, "fill") == 0 || strcmp(what, "drain") == 0 || strcmp(what, "flood") == 0) {
        sscanf(line, "%*s %d %n", &from, &text_at);
        to = from;
    } else {
        sscanf(line, "%*s %d %d %n%ld %n", &from, &to, &text_at, &count, &text_at);
    }
    if (from < 1 || from > to || to > client_count)
        wrong("no such clients: %s", line);
    for (int i = from; i <= to && !answered; i++)
        act(what, i, count, line + text_at);
}

int
main(int count, char **words)
{
    char line[LINE_SIZE];

    if (count != 3) {
        fprintf(stderr, "usage: crowd SOCKET SECONDS\n");
        return 2;
    }
    path = words[1];
    timeout_ms = (int)strtol(words[2], NULL, 10) * 1000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        answered = false;
        obey(line);
        if (!answered)
            puts("ok");
    }
    return 0;
}

/* load-clients.c: measures commands and jobs of many clients of the control socket at once. */
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 10000,
    AT_ONCE = 64, /* commands that a client gives at once */
};

struct client {
    int fd;
    long owed; /* lines */
};

static struct {
    struct client *clients;
    long count;
    int epoll_fd;
    char path[64];
} crowd;

static void
crowd_connect(long count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    crowd.clients = calloc((size_t)count, sizeof(*crowd.clients));
    crowd.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (crowd.clients == NULL || crowd.epoll_fd < 0)
        err(1, "start");
    crowd.count = count;
    memcpy(address.sun_path, crowd.path, sizeof(crowd.path));
    for (struct client *client = crowd.clients; client < crowd.clients + count; client++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (client->fd < 0 ||
            connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            epoll_ctl(crowd.epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
            err(1, "client %ld", (long)(client - crowd.clients));
    }
}

/* Each client gives the text, which is that many commands with a line of reply each, and gives it again
 * when it has all replies, until all have given count commands. Returns the seconds that this took. */
static double
crowd_give(const char *text, long commands, long count, const char *end)
{
    size_t size = strlen(text);
    static char data[BLOCK_SIZE];
    long given = 0, answered = 0;
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);

    for (long i = 0; i < crowd.count; i++, given += commands) {
        if (write(crowd.clients[i].fd, text, size) != (ssize_t)size)
            err(1, "write");
        crowd.clients[i].owed = commands;
    }
    if (count < given)
        count = given; /* each client once */
    while (answered < given) {
        struct epoll_event events[64];
        int ready = epoll_wait(crowd.epoll_fd, events, 64, PATIENCE_MS);
        if (ready < 1)
            errx(1, "no reply in %d s", PATIENCE_MS / 1000);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            ssize_t n = read(client->fd, data, sizeof(data) - 1);
            if (n <= 0)
                errx(1, "the server is gone");
            data[n] = '\0';
            long lines = 0;
            for (const char *at = data; (at = strchr(at, '\n')) != NULL; at++, lines++)
                if ((size_t)(at - data) >= strlen(end) &&
                    memcmp(at - strlen(end), end, strlen(end)) != 0)
                    errx(1, "unexpected reply '%s'", data);
            answered += lines;
            client->owed -= lines;
            if (client->owed > 0 || given >= count)
                continue;
            if (write(client->fd, text, size) != (ssize_t)size)
                err(1, "write");
            client->owed = commands;
            given += commands;
        }
    }
    return (double)(clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9 / (double)answered;
}

void
run_clients(char **args)
{
    long clients = argument(args[0], CLIENTS_MAX), count = argument(args[1], COUNT_MAX);
    long jobs = argument(args[2], COUNT_MAX);
    char text[AT_ONCE * LINE_SIZE], *at = text;

    snprintf(crowd.path, sizeof(crowd.path), "build/bench/clients.%d", getpid());
    char *argv[] = {server.program, "--listen", crowd.path, NULL};
    server_start(argv, -1);
    create(2);
    crowd_connect(clients);
    for (int i = 0; i < AT_ONCE; i++)
        at += sprintf(at, "get_status %d\n", server.drivers[0]);
    printf("%.3f ", 1e6 * crowd_give(text, AT_ONCE, count, " Available"));
    printf("%.1f\n", 1e6 * crowd_give("run any 60 /bin/true\n", 1, jobs, " Done exit 0"));
    say("shutdown\n");
    server_wait();
    free(crowd.clients);
}

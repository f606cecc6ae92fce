/*
 * echo.c: sends back what it receives, over TCP and UDP, IPv4 and IPv6. Usage: echo PORT [HOST].
 * Port 0 is any free port; without HOST, only this machine is served. The program waits in one
 * place, the loop in main(). Whatever becomes ready, signals included, has a handler.
 */
#include "lib/list.h"
#include "lib/signals.h"
#include "lib/text.h"

#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client {
    struct list link; /* clients */
    struct source source;
};

static in_port_t server_listen(struct addrinfo *addresses, in_port_t port);
static void signals_ready(struct source *source, uint32_t events);

static struct source signals, sockets[4] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
static struct list clients = {&clients, &clients};
static bool stopping, over;
static char data[65536]; /* what the current handler has received */

int
main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses; /* each address once */
    uint64_t port;
    sigset_t set;

    if (argc < 2 || !digits_parse(argv[1], strlen(argv[1]), 65535, &port) || port > 65535)
        errx(2, "usage: echo PORT [HOST]");
    if (getaddrinfo(argv[2], "0", &hints, &addresses) != 0) /* may block; NULL means the loopback */
        errx(1, "cannot find %s", argv[2]);
    if (!signals_block(&set) || !sources_open() || !signals_open(&signals, &set, signals_ready))
        err(1, "cannot start");
    dprintf(STDOUT_FILENO, "port %d\n", ntohs(server_listen(addresses, htons((in_port_t)port))));
    freeaddrinfo(addresses);
    while (!over && !(stopping && list_empty(&clients)))
        if (!sources_wait(-1))
            err(1, "cannot wait");
    return 0;
}

/* Stops: accepts no more clients and ends each client's input, shutdown(2). A client is closed when
 * all was sent back, see client_ready(). The alarm, or another signal, ends the wait for that. */
static void
signals_ready(struct source *source, uint32_t events __attribute__((unused)))
{
    struct signalfd_siginfo info;

    if (signals_read(source, &info, 1) < 1 ||
        (info.ssi_signo != SIGINT && info.ssi_signo != SIGTERM && info.ssi_signo != SIGALRM))
        return;
    over = stopping;
    stopping = true;
    for (int i = 0; i < 4; i++)
        source_close(&sockets[i]);
    for (struct list *link = clients.next; link != &clients; link = link->next)
        shutdown(container_of(link, struct client, link)->source.fd, SHUT_RD);
    alarm(1);
}

/* Takes from the kernel only what it could send back. The kernel holds up a client whose buffer is
 * full; and the end of the input, size 0, comes only after everything before it was sent back. */
static void
client_ready(struct source *source, uint32_t events __attribute__((unused)))
{
    struct client *client = container_of(source, struct client, source);
    ssize_t size = recv(source->fd, data, sizeof(data), MSG_PEEK), sent = size;

    if (size > 0 && (sent = send(source->fd, data, (size_t)size, MSG_NOSIGNAL)) > 0)
        recv(source->fd, data, (size_t)sent, MSG_TRUNC); /* discards what was sent, tcp(7) */
    if (sent > 0 || (sent < 0 && errno == EAGAIN)) {
        source_watch(source, sent < size ? EPOLLOUT : EPOLLIN);
        return;
    }
    source_close(source);
    list_unlink(&client->link);
    free(client);
    for (int i = 0; i < 4; i++) /* a descriptor is free again */
        if (sockets[i].events != 0)
            source_watch(&sockets[i], EPOLLIN);
}

/* A client for which we have no descriptor or memory stays in the queue, and would keep waking us.
 * With EPOLLET, epoll(7), only the next new client does; and when a client leaves, we try again. */
static void
tcp_ready(struct source *source, uint32_t events __attribute__((unused)))
{
    struct client *client = calloc(1, sizeof(*client));
    int fd = client == NULL ? -1 : accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool opened = client != NULL && source_open(&client->source, fd, client_ready, EPOLLIN);

    source_watch(source, opened ? EPOLLIN : EPOLLIN | EPOLLET);
    if (opened)
        list_append(&clients, &client->link);
    else
        free(client);
}

static void
udp_ready(struct source *source, uint32_t events __attribute__((unused)))
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    ssize_t n = recvfrom(source->fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size);

    if (n >= 0)
        sendto(source->fd, data, (size_t)n, 0, (struct sockaddr *)&from, size); /* or is lost */
}

/* Opens sockets 0 (IPv4) and 1 (IPv6) for TCP, 2 and 3 for UDP, all at one port, and returns that.
 * Skips an address that this machine does not have, because there may be no IPv6, or no IPv4. */
static in_port_t
server_listen(struct addrinfo *addresses, in_port_t port)
{
    in_port_t bound = 0;

    for (struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
        int family = a->ai_family, flags = SOCK_NONBLOCK | SOCK_CLOEXEC, on = 1;
        struct source *tcp = &sockets[family == AF_INET6], *udp = tcp + 2;
        in_port_t *at = &((struct sockaddr_in *)a->ai_addr)->sin_port; /* sin6_port is there, too */

        source_close(tcp); /* a name may have several addresses of a family: the last counts */
        source_close(udp);
        *tcp = (struct source){.fd = socket(family, SOCK_STREAM | flags, 0), .ready = tcp_ready};
        *udp = (struct source){.fd = socket(family, SOCK_DGRAM | flags, 0), .ready = udp_ready};
        *at = bound != 0 ? bound : port;
        if (tcp->fd >= 0 && setsockopt(tcp->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
            bind(tcp->fd, a->ai_addr, a->ai_addrlen) == 0 && listen(tcp->fd, SOMAXCONN) == 0 &&
            getsockname(tcp->fd, a->ai_addr, &a->ai_addrlen) == 0 && source_watch(tcp, EPOLLIN) &&
            bind(udp->fd, a->ai_addr, a->ai_addrlen) == 0 && source_watch(udp, EPOLLIN))
            bound = *at;
        else if (errno == EADDRINUSE && *at != port)
            return server_listen(addresses, port); /* it was not free for all: takes another */
        else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
            err(1, "cannot listen");
    }
    if (bound == 0)
        err(1, "cannot listen");
    return bound;
}

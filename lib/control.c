#include "control.h"

#include "clients.h"
#include "clock.h"
#include "deadline.h"
#include "format.h"
#include "listener.h"
#include "log.h"
#include "options.h"
#include "parting.h"
#include "peer.h"
#include "phase.h"
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64,
    REFUSALS_LOGGED = 10, /* in REFUSALS_S; more are only counted, so that nobody fills our log */
    REFUSALS_S = 60,
};

static struct listener control = {.source.fd = -1, .directory = -1, .lock = -1};

static struct {
    int64_t until_ns; /* REFUSALS_S after the first one */
    uint64_t count;
} refusals;

/* ---- connections ----------------------------------------------------------------------------- */

static void
connection_ready(struct source *source, uint32_t events)
{
    struct client *client = container_of(source, struct client, in.source);

    if (events & EPOLLOUT) {
        if (client->output_state == OUTPUT_WAITS)
            client->output_state = OUTPUT_OPEN;
        client_wake(client);
    }
    if (events & EPOLLIN)
        client_read(client);
    if (events & (EPOLLHUP | EPOLLERR))
        client_gone(client);
}

static struct client *
connection_new(int fd, const struct ucred *peer)
{
    struct client *client = client_new(format_chosen());

    if (client == NULL)
        return NULL;
    client->in = (struct stream){
        .source = {.fd = fd, .ready = connection_ready}, .fd = fd, .kind = STREAM_SOCKET};
    client->out = (struct stream){.source.fd = -1, .fd = fd, .kind = STREAM_SOCKET};
    client->peer = *peer;
    return client;
}

bool
connection_open(int fd, const struct ucred *peer)
{
    if (connection_new(fd, peer) == NULL)
        return false;
    if (options.verbose)
        log_line("client %d of user %u has connected", peer->pid, peer->uid);
    return true;
}

static void
refusals_sum_up(void)
{
    if (refusals.count > REFUSALS_LOGGED)
        log_count(refusals.count - REFUSALS_LOGGED, "more connection", "refused");
    refusals.count = 0;
}

static void
refusal_log(uid_t uid)
{
    if (clock_turn_ns >= refusals.until_ns) {
        refusals_sum_up();
        refusals.until_ns = clock_turn_ns + REFUSALS_S * NS_PER_S;
    }
    if (++refusals.count <= REFUSALS_LOGGED)
        log_line("refused a connection of user %u", uid);
}

/* Tells a process of another user why it is refused. */
static void
connection_refuse(int fd, const struct ucred *peer)
{
    static const char refusal[] = "Error: only the server's own user may give it commands\n";
    struct client *client = connection_new(fd, peer);

    send(fd, refusal, strlen(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
    refusal_log(peer->uid);
    if (client == NULL) {
        socket_end(fd);
        return;
    }
    client->stranger = true;
    client_part(client);
}

/* Whether the process that connected belongs to our user or to root. */
static bool
peer_permitted(const struct ucred *peer)
{
    return (peer->uid == geteuid() || peer->uid == 0) && peer_is_user(peer);
}

/* No connection can be accepted now. The one that waits would keep the socket ready and make the
 * loop spin, so the socket is not watched for a moment. */
static void
control_pause(struct listener *listener, int error)
{
    if (!listener->accept_failed)
        log_line("cannot accept a connection: %s", strerror(error));
    listener->accept_failed = true;
    source_watch(&listener->source, 0);
    retry_later();
}

static void
control_ready(struct source *source, uint32_t events)
{
    struct listener *listener = container_of(source, struct listener, source);

    (void)events;
    listener_keep_unblocked(listener);
    /* At a stop nobody can connect to our own socket any more, so all clients that have connected
     * are accepted. To an inherited socket they still can. */
    bool all = phase_stopping() && !listener->inherited;

    for (int i = 0; i < ACCEPTS_PER_TURN || all; i++) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno == EAGAIN || errno == EINVAL)
                listener->accept_failed = false; /* all are accepted */
            else if ((errno == EMFILE || errno == ENFILE) && partings_end())
                continue; /* now there are descriptors */
            else
                control_pause(listener, errno);
            return;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) { /* unix(7) */
            socket_end(fd);
        } else if (!peer_permitted(&peer)) {
            connection_refuse(fd, &peer);
        } else if (!connection_open(fd, &peer)) {
            control_pause(listener, errno);
            socket_end(fd);
            return;
        }
    }
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void
control_remove(void)
{
    listener_remove(&control);
}

void
control_open(void)
{
    if (options.listen_path == NULL)
        return;
    atexit(control_remove); /* in case the start fails */
    if (options.listen_fd >= 0)
        listener_inherit(&control, options.listen_fd, options.listen_path, control_ready);
    else
        listener_open(&control, options.listen_path, control_ready);
}

bool
control_watch(void)
{
    return control.source.fd < 0 || source_watch(&control.source, EPOLLIN);
}

bool
control_is_open(void)
{
    return control.source.fd >= 0;
}

void
control_retry(void)
{
    if (!control_watch())
        retry_later();
}

void
control_close(void)
{
    if (control.source.fd < 0)
        return;
    listener_remove(&control);
    if (control.inherited) {
        source_close(&control.source); /* the next server accepts the clients that wait */
    } else {
        /* Otherwise a client that connects after the last accept would be cut off. */
        shutdown(control.source.fd, SHUT_RD);
        control_ready(&control.source, EPOLLIN);
        if (!control.accept_failed || phase_overdue())
            source_close(&control.source);
    }
    if (!control_is_open())
        refusals_sum_up();
}

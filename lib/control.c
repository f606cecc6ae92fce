#include "control.h"

#include "clients.h"
#include "deadline.h"
#include "format.h"
#include "listener.h"
#include "log.h"
#include "options.h"
#include "peer.h"
#include "phase.h"
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64,
};

static struct listener control = {.source.fd = -1, .directory = -1, .lock = -1};

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

bool
connection_open(int fd)
{
    struct client *client = client_new(options.json ? &format_json : &format_text);

    if (client == NULL)
        return false;
    client->in = (struct stream){
        .source = {.fd = fd, .ready = connection_ready}, .fd = fd, .kind = STREAM_SOCKET};
    client->out = (struct stream){.source.fd = -1, .fd = fd, .kind = STREAM_SOCKET};
    return true;
}

/* Whether the process that connected belongs to our user or to root, SO_PEERCRED, unix(7). Any
 * other process gets an Error. */
static bool
peer_permitted(int fd)
{
    static const char refusal[] = "Error: only the server's own user may give it commands\n";
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    if ((peer.uid == geteuid() || peer.uid == 0) && peer_is_user(&peer))
        return true;
    send(fd, refusal, strlen(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
    log_line("refused a connection of user %u", peer.uid);
    return false;
}

/* No connection can be accepted now. The one that waits would keep the socket ready and make the
 * loop spin, so the socket is not watched for a moment. */
static void
listener_pause(struct listener *listener, int error)
{
    if (!listener->accept_failed)
        log_line("cannot accept a connection: %s", strerror(error));
    listener->accept_failed = true;
    source_watch(&listener->source, 0);
    retry_later();
}

static void
listener_ready(struct source *source, uint32_t events)
{
    struct listener *listener = container_of(source, struct listener, source);

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN || phase_stopping(); i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno == EAGAIN)
                listener->accept_failed = false; /* all are accepted */
            else
                listener_pause(listener, errno);
            return;
        }
        if (!peer_permitted(fd)) {
            close(fd);
        } else if (!connection_open(fd)) {
            listener_pause(listener, errno);
            close(fd);
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
    atexit(control_remove); /* in case the start fails */
    listener_open(&control, options.listen_path, listener_ready);
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
    listener_ready(&control.source, EPOLLIN);
    source_close(&control.source);
}

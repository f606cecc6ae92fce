#include "control.h"

#include "clients.h"
#include "deadline.h"
#include "format.h"
#include "log.h"
#include "options.h"
#include "parting.h"
#include "phase.h"
#include "reader.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64,
};

static struct listener {
    struct source source; /* its fd is -1 if it does not listen */
    const char *path;
    struct stat file;   /* the device and inode of the socket's file */
    bool accept_failed; /* no connection can be accepted, and that was logged */
    bool closing;       /* its file is removed, and nobody can connect any more */
} control = {.source.fd = -1};

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
    struct client *client = client_new(options.json ? &format_json : &format_text);

    if (client == NULL)
        return NULL;
    client->in = (struct stream){
        .source = {.fd = fd, .ready = connection_ready}, .fd = fd, .kind = STREAM_SOCKET};
    client->out = (struct stream){.source.fd = -1, .fd = fd, .kind = STREAM_SOCKET};
    client->peer_pid = peer->pid;
    client->peer_uid = peer->uid;
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

/* Tells a process of another user why it is refused. */
static void
connection_refuse(int fd, const struct ucred *peer)
{
    static const char refusal[] = "Error: only the server's own user may give it commands\n";
    struct client *client = connection_new(fd, peer);

    send(fd, refusal, strlen(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
    log_line("refused a connection of user %u", peer->uid);
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
    return peer->uid == geteuid() || peer->uid == 0;
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
                listener_pause(listener, errno);
            return;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) { /* unix(7) */
            socket_end(fd);
        } else if (!peer_permitted(&peer)) {
            connection_refuse(fd, &peer);
        } else if (!connection_open(fd, &peer)) {
            listener_pause(listener, errno);
            socket_end(fd);
            return;
        }
    }
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* Removes the socket's file, if it is still ours. */
static void
listener_remove(const struct listener *listener)
{
    struct stat file;

    if (listener->source.fd < 0 || listener->closing)
        return;
    bool known = lstat(listener->path, &file) == 0;
    if (known && (file.st_dev != listener->file.st_dev || file.st_ino != listener->file.st_ino))
        return; /* it belongs to another server by now */
    if (!known && errno == ENOENT)
        return;
    if (!known || unlink(listener->path) < 0)
        log_line("cannot remove %s: %s", listener->path, strerror(errno));
}

struct sockaddr_un
control_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    assert(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

/* Whether a server listens at the socket. A dead server leaves the file, which refuses
 * connections. */
static bool
control_is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return !refused;
}

/* Removes the file of a dead server, if there is one. Exits if there is anything else. */
static void
control_take_over(const struct sockaddr_un *address)
{
    struct stat file;

    if (lstat(address->sun_path, &file) < 0) {
        if (errno == ENOENT)
            return;
        err(EXIT_FAILURE, "cannot listen on %s", address->sun_path);
    }
    if (!S_ISSOCK(file.st_mode))
        errx(EXIT_FAILURE, "cannot listen on %s: it exists and is no socket", address->sun_path);
    if (control_is_alive(address))
        errx(EXIT_FAILURE, "cannot listen on %s: another server does", address->sun_path);
    if (unlink(address->sun_path) < 0)
        err(EXIT_FAILURE, "cannot remove %s, of a server that is dead", address->sun_path);
}

/* Opens the directory that the path is in. Returns a descriptor, or -1 with errno. */
static int
directory_open(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
    const char *slash = strrchr(path, '/');

    if (slash != NULL)
        snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path),
                 path);
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * The directory is locked while we do this. Otherwise two servers that start together could each
 * take the other for dead, while the other has bound its socket but does not listen yet. Taking the
 * lock may block, so signals are not blocked yet.
 */
static void
listener_open(struct listener *listener, const char *path)
{
    struct sockaddr_un address = control_address(path);
    int directory = directory_open(path);

    if (directory < 0 || flock(directory, LOCK_EX) < 0)
        err(EXIT_FAILURE, "cannot listen on %s", path);
    control_take_over(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    listener->source = (struct source){.fd = fd, .ready = listener_ready};
    listener->path = path;
    mode_t mask = umask(0177); /* for us alone: 0600 */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(EXIT_FAILURE, "cannot listen on %s", path);
    if (lstat(path, &listener->file) < 0 || listen(fd, SOMAXCONN) < 0) {
        int error = errno;
        unlink(path); /* it is ours, because the directory is locked */
        errno = error;
        err(EXIT_FAILURE, "cannot listen on %s", path);
    }
    umask(mask);
    close(directory);
}

static void
control_remove(void)
{
    listener_remove(&control);
}

void
control_open(void)
{
    listener_open(&control, options.listen_path);
    atexit(control_remove); /* in case the start fails later */
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
    control.closing = true;
    shutdown(control.source.fd, SHUT_RD); /* otherwise one that connects now would be cut off */
    listener_ready(&control.source, EPOLLIN);
    if (!control.accept_failed || phase_overdue())
        source_close(&control.source);
}

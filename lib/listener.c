#include "listener.h"

#include "clock.h"
#include "log.h"
#include "process.h"

#include <assert.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * What other users can do depends on the directory.
 *
 * In a directory that only we and root can write, they can do nothing. In a sticky one, such as
 * /tmp, they can make a file at our path, or at the path of the lock, before we do. They can
 * neither remove nor rename nor replace a file of ours, unlink(2), so it is enough to look whose a
 * file is: we do not open, connect to or remove what is another user's, but say so and exit.
 *
 * In any other directory that they can write, they can also remove our files and put theirs there.
 * Then clients find no server, and that is all: a client tells nothing to another user's server,
 * see lib/session.c. We open the directory once. By that descriptor we look at files, remove them
 * and lock them, so a directory on the way that is renamed or replaced does not lead us to other
 * files. bind() and connect() can only take the path. They write into no file, and bind() neither
 * follows a link at the path nor replaces a file; at worst it leaves an empty socket of ours where
 * the path has led.
 */

enum {
    LOCK_WAIT_MS = 3000, /* a server that starts holds the lock for less than a millisecond */
    LOCK_RETRY_MS = 20,
    ORPHAN_WAIT_MS = 1000, /* a dead server's child has its socket for a moment */
};

#define LOCK_SUFFIX ".lock"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* since Linux 6.16; older headers do not have it */
#endif

struct lock_name {
    char text[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(LOCK_SUFFIX)];
};

struct sockaddr_un
listener_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    assert(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

/*
 * Whoever is at the other end of a UNIX socket can send us descriptors, SCM_RIGHTS, before we know
 * who he is. We never take one, so the kernel closes it when we read what came with it, or close
 * the connection. If it is the last descriptor of a TCP socket with SO_LINGER and unread data, the
 * kernel then waits in our process for as long as its owner likes, and only SIGKILL would end that.
 * With this option off, his sendmsg(2) fails with EPERM. A connection gets the option from the
 * listener, even before it is accepted. An older kernel does not know the option, and that is no
 * error: see CAVEATS in taxi-server(1).
 */
static void
descriptors_refuse(int fd)
{
    const int off = 0;

    setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

int
listener_socket(int flags)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd >= 0)
        descriptors_refuse(fd);
    return fd;
}

static bool
same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* Looks at a file in our directory, and follows no link. Returns false with errno on failure. */
static bool
file_look(const struct listener *listener, const char *name, struct stat *file)
{
    return fstatat(listener->directory, name, file, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the lock -------------------------------------------------------------------------------- */

static struct lock_name
lock_name(const struct listener *listener)
{
    struct lock_name name;

    snprintf(name.text, sizeof(name.text), "%s" LOCK_SUFFIX, listener->name);
    return name;
}

/*
 * Opens the lock file, and makes it if there is none. Exits unless it is a regular file of ours;
 * others cannot open that to lock it, because of its mode. O_NOFOLLOW refuses a link. With
 * O_NONBLOCK we wait neither for the other end of a FIFO nor until another user gives up the lease
 * that he has on his file, fcntl(2).
 */
static int
lock_file_open(const struct listener *listener, const char *name)
{
    struct stat file;
    int fd = openat(listener->directory, name,
                    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    int error = errno;
    bool known = fd >= 0 ? fstat(fd, &file) == 0 : file_look(listener, name, &file);

    if (known && file.st_uid != geteuid())
        errx(EXIT_FAILURE, "cannot listen on %s: %s%s is another user's", listener->path,
             listener->path, LOCK_SUFFIX);
    if (known && !S_ISREG(file.st_mode))
        errx(EXIT_FAILURE, "cannot listen on %s: %s%s is no regular file", listener->path,
             listener->path, LOCK_SUFFIX);
    if (fd < 0)
        errno = error;
    if (fd < 0 || !known)
        err(EXIT_FAILURE, "cannot listen on %s", listener->path);
    return fd;
}

/* Tries to take the lock. Returns false if another process holds it, and sets *holder to its pid if
 * that is known; or if the lock file was replaced in between. */
static bool
lock_try(struct listener *listener, pid_t *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct lock_name name = lock_name(listener);
    struct stat ours, file;
    int fd = lock_file_open(listener, name.text);

    if (fcntl(fd, F_SETLK, &lock) == 0) {
        /* Whoever held the lock before us has removed the file, and a third process may have made a
         * new one. Only the file that is still there counts. */
        if (fstat(fd, &ours) == 0 && file_look(listener, name.text, &file) &&
            same_file(&ours, &file)) {
            listener->lock = fd;
            return true;
        }
    } else if (errno != EAGAIN && errno != EACCES) {
        err(EXIT_FAILURE, "cannot lock %s%s", listener->path, LOCK_SUFFIX);
    } else if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0) {
        *holder = lock.l_pid;
    }
    close(fd);
    return false;
}

/* Waits for a moment, or until a signal asks the program to stop. Returns whether one has. The
 * dispositions are those that we inherited: under nohup(1), SIGHUP is ignored. */
static bool
stop_awaited(void)
{
    static const struct timespec moment = {.tv_nsec = LOCK_RETRY_MS * NS_PER_MS};
    struct sigaction hangup;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&set, SIGHUP);
    return sigtimedwait(&set, NULL, &moment) > 0;
}

/*
 * Without the lock, two servers that start together could each take the other for dead, while the
 * other has bound its socket but does not listen yet. fcntl() has no lock with a time limit, and
 * only a signal handler could end its wait, so we try again and again. The loop does not run yet.
 */
static void
lock_take(struct listener *listener)
{
    int64_t until_ns = clock_ns() + LOCK_WAIT_MS * NS_PER_MS;
    pid_t holder = 0;

    while (!lock_try(listener, &holder)) {
        if (stop_awaited())
            exit(EXIT_SUCCESS); /* like a server that is stopped later; there is nothing to undo */
        if (clock_ns() < until_ns)
            continue;
        if (holder > 0)
            errx(EXIT_FAILURE, "cannot listen on %s: process %d holds %s%s", listener->path,
                 (int)holder, listener->path, LOCK_SUFFIX);
        errx(EXIT_FAILURE, "cannot listen on %s: another process holds %s%s", listener->path,
             listener->path, LOCK_SUFFIX);
    }
}

/* Removes the lock file while we hold it. Closing it then releases the lock. */
static void
lock_release(struct listener *listener)
{
    if (listener->lock < 0)
        return;
    struct lock_name name = lock_name(listener);
    if (unlinkat(listener->directory, name.text, 0) < 0 && errno != ENOENT)
        log_line("cannot remove %s%s: %s", listener->path, LOCK_SUFFIX, strerror(errno));
    close(listener->lock);
    listener->lock = -1;
}

/* ---- the socket's file ----------------------------------------------------------------------- */

/* Whether the process that listened is dead, unix(7), and another one has its socket. */
static bool
peer_is_dead(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    struct process process;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
        return false;
    return (kill(peer.pid, 0) < 0 && errno == ESRCH) ||
           (process_look(peer.pid, &process) && process_is_dead(&process));
}

/* Whether something listens at the socket. A dead server leaves the file, which refuses
 * connections. Sets *orphaned if the process that listened is dead. */
static bool
socket_is_alive(const struct sockaddr_un *address, bool *orphaned)
{
    int fd = listener_socket(SOCK_NONBLOCK);
    bool connected = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    bool refused = !connected && errno == ECONNREFUSED;

    *orphaned = connected && peer_is_dead(fd);
    if (fd >= 0)
        close(fd);
    return !refused;
}

/* Whether a server listens at the socket. The child that becomes a driver has its server's socket
 * for a moment, even if the server is killed in that moment, see lock_await() in lib/joblog.c. */
static bool
server_is_alive(const struct sockaddr_un *address)
{
    static const struct timespec moment = {.tv_nsec = LOCK_RETRY_MS * NS_PER_MS};
    int64_t until_ns = clock_ns() + ORPHAN_WAIT_MS * NS_PER_MS;
    bool orphaned, alive;

    while ((alive = socket_is_alive(address, &orphaned)) && orphaned && clock_ns() < until_ns)
        nanosleep(&moment, NULL);
    return alive;
}

/* Removes the file of a dead server of ours, if there is one. Exits if there is anything else. */
static void
listener_take_over(const struct listener *listener, const struct sockaddr_un *address)
{
    struct stat file;

    if (!file_look(listener, listener->name, &file)) {
        if (errno == ENOENT)
            return;
        err(EXIT_FAILURE, "cannot listen on %s", listener->path);
    }
    if (!S_ISSOCK(file.st_mode))
        errx(EXIT_FAILURE, "cannot listen on %s: it exists and is no socket", listener->path);
    if (file.st_uid != geteuid())
        errx(EXIT_FAILURE, "cannot listen on %s: it is another user's", listener->path);
    if (server_is_alive(address))
        errx(EXIT_FAILURE, "cannot listen on %s: another server does", listener->path);
    if (unlinkat(listener->directory, listener->name, 0) < 0)
        err(EXIT_FAILURE, "cannot remove %s, which a dead server has left", listener->path);
}

/* Opens the directory that the path is in. Exits on failure. */
static void
listener_open_directory(struct listener *listener)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
    const char *path = listener->path;
    const char *slash = strrchr(path, '/');

    listener->name = slash != NULL ? slash + 1 : path;
    if (listener->name[0] == '\0')
        errx(EXIT_FAILURE, "cannot listen on %s: it names a directory", path);
    if (slash != NULL)
        snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path),
                 path);
    listener->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (listener->directory < 0)
        err(EXIT_FAILURE, "cannot listen on %s", path);
}

/* Makes the socket and its file. Exits on failure. */
static void
listener_bind(struct listener *listener, const struct sockaddr_un *address)
{
    int fd = listener_socket(SOCK_NONBLOCK);

    listener->source.fd = fd;
    if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        err(EXIT_FAILURE, "cannot listen on %s", listener->path);
    if (!file_look(listener, listener->name, &listener->file) || listen(fd, SOMAXCONN) < 0) {
        int error = errno;
        unlinkat(listener->directory, listener->name, 0); /* it is ours, since we hold the lock */
        errno = error;
        err(EXIT_FAILURE, "cannot listen on %s", listener->path);
    }
}

void
listener_open(struct listener *listener, const char *path,
              void (*ready)(struct source *, uint32_t events))
{
    struct sockaddr_un address = listener_address(path);
    mode_t mask = umask(0177); /* both files are for us alone: 0600 */

    listener->path = path;
    listener->source.ready = ready;
    listener_open_directory(listener);
    lock_take(listener);
    listener_take_over(listener, &address);
    listener_bind(listener, &address);
    lock_release(listener);
    umask(mask);
}

/* Sets O_NONBLOCK, or clears it. Returns whether that changes anything. */
static bool
socket_unblock(int fd, bool set)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || ((flags & O_NONBLOCK) != 0) == set)
        return false;
    return fcntl(fd, F_SETFL, flags ^ O_NONBLOCK) == 0;
}

/*
 * The flag is also the service manager's, since both have the same open file description. systemd
 * sets it as NonBlocking= says before it starts a server, so with our unit there is nothing to do.
 * For others we leave it as it was when we end. There is no accept() with MSG_DONTWAIT.
 *
 * Descriptors stay refused after our end, also for clients that connect then.
 */
void
listener_inherit(struct listener *listener, int fd, const char *path,
                 void (*ready)(struct source *, uint32_t events))
{
    listener->path = path;
    listener->source = (struct source){.fd = fd, .ready = ready};
    listener->inherited = true;
    descriptors_refuse(fd);
    listener_keep_unblocked(listener);
    if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0)
        err(EXIT_FAILURE, "cannot listen on %s", path);
}

/* When another server at this socket ends, it leaves the flag as it was when that server
 * started. */
void
listener_keep_unblocked(struct listener *listener)
{
    if (listener->inherited && socket_unblock(listener->source.fd, true))
        listener->unblocked = true;
}

/* The server still listens when it removes the socket's file, so no other server takes the file for
 * a dead server's. If somebody has removed it, it may be another server's by now. */
void
listener_remove(struct listener *listener)
{
    struct stat file;

    if (listener->unblocked && socket_unblock(listener->source.fd, false))
        listener->unblocked = false;
    if (listener->directory < 0)
        return;
    lock_release(listener);
    bool known = file_look(listener, listener->name, &file);
    bool remains = known ? same_file(&file, &listener->file) : errno != ENOENT;
    if (remains && (!known || unlinkat(listener->directory, listener->name, 0) < 0))
        log_line("cannot remove %s: %s", listener->path, strerror(errno));
    close(listener->directory);
    listener->directory = -1;
}

/*
 * listener.h: a socket at which clients connect, and its file.
 *
 * The file is for our own user alone (0600). From the moment when a server looks whether another
 * one listens at the path until it listens itself, it holds a lock file, whose name is the path and
 * ".lock". It removes the lock file then. A server that is killed may leave both files, and the
 * next server takes them over.
 *
 * Or a service manager has made the socket, and listens at it as well: it starts a server when a
 * client comes. Such a socket and its file are not ours to end.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "source.h"

#include <sys/stat.h>
#include <sys/un.h>

struct listener {
    struct source source; /* its fd is -1 if it does not listen */
    const char *path;
    const char *name;   /* the last part of the path */
    int directory;      /* where the file is; -1: not open */
    int lock;           /* the lock file; -1: we do not hold it */
    struct stat file;   /* the device and inode of the socket's file */
    bool inherited;     /* a service manager has made it */
    bool unblocked;     /* of an inherited one: it was blocking until we changed that */
    bool accept_failed; /* no connection can be accepted, and that was logged */
};

/* Listens at the path, which must outlive the listener; ready() will handle connections, once the
 * source is watched. Signals must be blocked, and have the dispositions that we inherited. Exits on
 * failure, and if another process holds the lock for three seconds. If a signal asks the program to
 * stop during this wait, exits with status 0. */
void listener_open(struct listener *, const char *path,
                   void (*ready)(struct source *, uint32_t events));

/* Does the same with a socket that listens already, and that we have inherited. Exits on
 * failure. */
void listener_inherit(struct listener *, int fd, const char *path,
                      void (*ready)(struct source *, uint32_t events));

/* Makes sure that no accept(2) blocks, although another process may have changed that. */
void listener_keep_unblocked(struct listener *);

/* Removes the files that are ours, also after listener_open() has failed half-way. Makes an
 * inherited socket blocking again if it was. Does nothing if that is done already. Does not close
 * the socket. */
void listener_remove(struct listener *);

/* Creates a UNIX stream socket to which nobody can send descriptors, for either end of a
 * connection; flags is SOCK_NONBLOCK or 0. Returns -1 with errno on failure. */
int listener_socket(int flags);

/* Returns the address of a socket with that path. The path must fit, see options.c. */
struct sockaddr_un listener_address(const char *path);

#endif

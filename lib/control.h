/*
 * control.h: the control socket, at which further clients connect.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <sys/socket.h>

/* Listens at options.listen_path, if it is set; only this user can connect. Signals must be
 * blocked, and have the dispositions that we inherited, see listener_open(). Exits on failure. */
void control_open(void);

/* Starts to accept connections. Returns false with errno on failure. */
bool control_watch(void);

/* Whether there is a control socket that is not closed yet. */
bool control_is_open(void);

/* Accepts connections again, if that had to pause for lack of memory or descriptors. */
void control_retry(void);

/* Accepts the clients that have connected so far, which get an Error for each command, and closes
 * the socket. If there are no descriptors for them, it stays open, and must be closed again. At a
 * service manager's socket they wait for the next server. */
void control_close(void);

/* Sets up a client for a connection of that process, which then owns fd. Returns false with errno
 * if there is no memory; the caller then still owns fd. */
bool connection_open(int fd, const struct ucred *peer);

#endif

/*
 * control.h: the control socket, at which further clients connect.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <sys/un.h>

/* Listens at options.listen_path, for this user alone. May wait, so it is called before signals are
 * blocked. Exits if the socket cannot be had. */
void control_open(void);

/* Accepts connections from now on. Returns false with errno on failure. */
bool control_watch(void);

/* Whether there is a socket that is not closed yet. */
bool control_is_open(void);

/* Accepts connections again, if that was put off for lack of descriptors. */
void control_retry(void);

/* Accepts those that have connected so far, which will hear of the stop, and closes the socket. */
void control_close(void);

/* Sets up a client at that socket. Returns false with errno if there is no memory. */
bool connection_open(int fd);

/* The address of a socket with that path, which fits. */
struct sockaddr_un control_address(const char *path);

#endif

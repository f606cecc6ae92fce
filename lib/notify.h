/*
 * notify.h: reports the server's state to the program that started it, see sd_notify(3).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Sends assignments such as "READY=1" to the socket that the environment variable NOTIFY_SOCKET
 * names, if it is set. Logs a failure. */
void notify(const char *state);

/* Writes a newline to the descriptor of --ready-fd, and closes it. Logs a failure. Does nothing if
 * it is -1. */
void notify_ready_fd(int fd);

#endif

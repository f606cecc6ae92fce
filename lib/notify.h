/*
 * notify.h: reports the server's state to a service manager, see sd_notify(3).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Sends assignments such as "READY=1" to the socket that the environment variable NOTIFY_SOCKET
 * names, if it is set. Logs a failure. */
void notify(const char *state);

#endif

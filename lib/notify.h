/*
 * notify.h: tells a service manager how the server is, see sd_notify(3).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Sends assignments such as "READY=1" to NOTIFY_SOCKET, if there is one. */
void notify(const char *state);

#endif

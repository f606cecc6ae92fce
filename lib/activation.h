/*
 * activation.h: a socket that a service manager has made for us, sd_listen_fds(3). A server that is
 * started in this way takes its clients from there.
 */
#ifndef ACTIVATION_H
#define ACTIVATION_H

enum {
    ACTIVATION_FD = 3, /* the first descriptor that is given in this way */
};

/* Returns the path of the socket that we were given, or what stands for it in messages, or NULL if
 * we were given none. Exits with status 2 if we were given several descriptors, or anything but a
 * UNIX stream socket that listens. */
const char *activation_socket(void);

#endif

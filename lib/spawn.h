/*
 * spawn.h: how a driver is started: the socketpair, the process, its descriptors and environment.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include "fleet.h"

#include <sys/resource.h>

/* Sets up what starting needs. nofile: the limit of descriptors that drivers get. Exits if
 * something cannot be had. */
void spawn_open(const struct rlimit *nofile);
void spawn_close(void);

/* Starts a driver; birth, if it is not NULL, gets its outcome once the driver has said HELLO.
 * Returns NULL with errno on failure. */
struct driver *driver_new(struct call *birth);

/* Closes the descriptor that is kept for starting drivers, so that one can be opened even where
 * there is no other; and takes it back. */
void spare_fd_lend(void);
void spare_fd_return(void);

#endif

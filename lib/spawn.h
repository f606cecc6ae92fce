/*
 * spawn.h: starts drivers: the socketpair, the process and its descriptors.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include "fleet.h"

#include <sys/resource.h>

/* Sets up what is needed to start drivers. nofile is the limit of descriptors for drivers. Exits on
 * failure. */
void spawn_open(const struct rlimit *nofile);
void spawn_close(void);

/* Starts a driver, and waits for its exec. birth, unless it is NULL, ends when the driver has said
 * HELLO or has failed. Returns NULL with errno on failure; birth has no outcome then. */
struct driver *driver_new(struct call *birth);

/* A descriptor is reserved for starting drivers. To lend it means to close it, so that one can be
 * opened even if there is no other. */
void spare_fd_lend(void);
void spare_fd_return(void);

#endif

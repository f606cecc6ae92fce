/*
 * spawn.h: starts drivers: the socketpair, the process and its descriptors.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include "fleet.h"

/* Keeps the descriptors that we were started with from drivers, and raises our own limit of
 * descriptors as far as it goes: what is opened later may need that. Exits on failure. */
void descriptors_prepare(void);

/* Sets up what is needed to start drivers, which get the limit of descriptors that we have
 * inherited. With hup_ignored, a HUP does not stop the server. Exits on failure. */
void spawn_open(bool hup_ignored);
void spawn_close(void);

/* Starts a driver, and waits for its exec, but not longer than --start-timeout, and not if a
 * signal asks us to stop; errno is then ETIME or ECANCELED. birth, unless it is NULL, ends when
 * the driver has said HELLO or has failed. Returns NULL with errno on failure; birth has no
 * outcome then. */
struct driver *driver_new(struct call *birth);

/* Returns the pid of a process that was to become a driver, was killed because its exec took too
 * long, and does not die; or 0. */
pid_t spawn_hangs(void);

/* A descriptor is reserved for starting drivers. To lend it means to close it, so that one can be
 * opened even if there is no other. */
void spare_fd_lend(void);
void spare_fd_return(void);

#endif

/*
 * relay.h: what drivers and jobs write to our standard error, if that is a terminal.
 *
 * A job that had the terminal itself could read what is typed there, and change the terminal's
 * modes. So drivers and jobs get a pipe, and we copy what comes out of it to the terminal. If
 * standard error is anything else, they get it as it is, and there is nothing to relay.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>

/* Makes the pipe if standard error is a terminal. Exits on failure. The child that becomes a driver
 * copies only the lowest descriptors, so this comes before spawn_open(). */
void relay_open(void);
void relay_close(void);

/* Returns the descriptor that drivers get as standard error. */
int relay_fd(void);

/* Whether something has been copied a moment ago, or waits for the terminal, so that nothing must
 * be shown that could tear it. */
bool relay_is_active(void);

/* The time of DEADLINE_QUIET is over: relay_is_active() no longer, and the console has a turn. */
void relay_quiet(void);

/* Copies what is in the pipe. Returns whether that was all, so that nothing is left to write. */
bool relay_drain(void);

#endif

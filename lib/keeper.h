/*
 * keeper.h: --drivers N: keeps N drivers running, and replaces those that die.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "fleet.h"

/* Notes how many drivers to start. */
void keeper_open(void);

/* Whether a missing driver may be started now; and starts one. */
bool keeper_can_start(void);
void keeper_start(void);

/* Return how many drivers must still be started; and whether there is none, and all have come
 * up. */
unsigned keeper_missing(void);
bool keeper_all_up(void);

/* A kept driver was reaped, with that status from wait(2). */
void keeper_ended(const struct driver *, int status);

/* Lets commands run: the first drivers are up, or one has failed. */
void keeper_warmed_up(void);

/* The time of DEADLINE_REPLACE is over. And: the server is stopping, so no driver is replaced. */
void keeper_replace(void);
void keeper_stop(void);

#endif

/*
 * keeper.h: --drivers N: keeps that many drivers, and replaces those that die.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "fleet.h"

/* The first drivers will be started by keeper_start(). */
void keeper_open(void);

/* Whether a driver that is missing may be started now; starts one. */
bool keeper_can_start(void);
void keeper_start(void);

/* How many are missing and will be started; whether none is and all have come up. */
unsigned keeper_missing(void);
bool keeper_all_up(void);

/* A kept driver was reaped, with that status. */
void keeper_ended(const struct driver *, int status);

/* Lets commands run: the first drivers are up, or cannot be. */
void keeper_warmed_up(void);

/* DEADLINE_REPLACE is over; no driver is replaced any more. */
void keeper_replace(void);
void keeper_stop(void);

#endif

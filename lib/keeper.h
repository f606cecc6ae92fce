/*
 * keeper.h: --drivers N: keeps N drivers running, and replaces those that end.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "fleet.h"

/* Notes how many drivers to start. */
void keeper_open(void);

bool keeper_can_start(void); /* whether a missing driver may be started now */
void keeper_start(void);     /* starts one, if it can */

bool keeper_all_up(void);    /* whether all drivers have been started and are up */
bool keeper_is_trying(void); /* whether drivers are missing, and will still be started */
bool keeper_gave_up(void);   /* whether none came up, and no more will be started */

/* A kept driver was reaped. */
void keeper_ended(const struct driver *);

/* Lets commands run: the first drivers are up, or one has failed. */
void keeper_warmed_up(void);

void keeper_replace(void); /* the time of DEADLINE_REPLACE is over */
void keeper_stop(void);    /* the server is stopping: no more drivers are started */

#endif

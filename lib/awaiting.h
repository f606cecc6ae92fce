/*
 * awaiting.h: calls that wait for any driver. Those of a giver wait in the order of the commands,
 * and the givers take turns, so that nobody's crowd of jobs keeps another client waiting.
 */
#ifndef AWAITING_H
#define AWAITING_H

#include "call.h"
#include "giver.h"

void awaiting_open(void);

/* Returns the giver of the call. */
struct giver *call_giver(const struct call *);

/* Has the call wait; or wait before all others, if a driver has not begun it after all. */
void call_await_any(struct call *);
void call_await_first(struct call *);
bool call_awaits_any(const struct call *);

/* Returns the first call that waits, or NULL; the caller must give it a driver (call_take_turn()
 * ends its wait) or an outcome. */
struct call *calls_awaiting_any(void);
void call_take_turn(struct call *);

/* Returns whether a call that has a request has begun to wait since this was last asked. */
bool calls_asked_anew(void);

/* While paused, no call that waits gets a driver. */
void calls_pause(bool);
bool calls_paused(void);

/* Calls visit() for each call that waits; visit() may end the call. */
void calls_awaiting_each(void (*visit)(struct call *));

#endif

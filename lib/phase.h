/*
 * phase.h: which part of its life the server is in, and how it will end.
 *
 * Phases follow one another and none is gone back to. Whoever finds that the server must stop asks
 * for it here; from then on it counts as stopping, and the frame does what there is to do.
 */
#ifndef PHASE_H
#define PHASE_H

#include <stdbool.h>

enum phase {
    PHASE_WARMING,  /* the first kept drivers are starting: commands wait */
    PHASE_RUNNING,  /* commands run, though not all kept drivers have come up yet */
    PHASE_READY,    /* all have, and whoever started us has been told */
    PHASE_STOPPING, /* no new command is run; drivers exit, replies go out */
    PHASE_OVERDUE,  /* the time for that is over: drivers are killed, output is dropped */
};

/* Goes on to that phase. Returns false if it was reached before. */
bool phase_reach(enum phase);

bool phase_warming(void);
bool phase_ready(void); /* or later */
bool phase_stopping(void);
bool phase_overdue(void);

/* Asks for the stop; at_once, or asked again, for one without any grace. */
void phase_stop(bool at_once);

/* Asks for the stop, unless it has begun, and makes the exit status a failure. */
void phase_fail(void);

/* Whether the stop was asked for since the last look. */
bool phase_stop_asked(void);

int phase_exit_status(void);

#endif

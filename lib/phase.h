/*
 * phase.h: which phase of its life the server is in, and its exit status.
 *
 * The server never goes back to an earlier phase. A module that finds that the server must stop
 * calls phase_stop() or phase_fail(). From then on the server counts as stopping; server_stop() in
 * server.c does the work, at once.
 */
#ifndef PHASE_H
#define PHASE_H

#include <stdbool.h>

enum phase {
    PHASE_WARMING,  /* the first kept drivers are starting; commands wait */
    PHASE_RUNNING,  /* commands run, even if not all kept drivers are up */
    PHASE_READY,    /* all are up, and the program that started us has been notified */
    PHASE_STOPPING, /* no new commands are run; drivers exit, replies are written */
    PHASE_OVERDUE,  /* no time is left: drivers are killed, output is dropped */
};

/* Enters that phase. Returns false if the server is in it already, or in a later one. */
bool phase_reach(enum phase);

bool phase_warming(void);
bool phase_ready(void); /* or later */
bool phase_stopping(void);
bool phase_overdue(void);

/* Sets the function that phase_stop() calls when the phase has changed. first: the server was not
 * stopping before. */
void phase_open(void (*stop)(bool first));

/* Stops the server. With at_once, it has no grace period, or no longer has one if it is stopping
 * already. Otherwise a server that is stopping goes on as before. */
void phase_stop(bool at_once);

/* Make the exit status a failure. phase_fail() also stops the server. */
void phase_set_failed(void);
void phase_fail(void);

/* Makes the exit status tell that a job of a batch failed, unless something worse has. */
void phase_job_failed(void);

int phase_exit_status(void);

#endif

/*
 * resume.h: --resume: what the log says of the jobs of earlier servers.
 *
 * A job of standard input whose command is in the log as Done is not run again. A job that has
 * begun but has no end in the log is lost; at the start, that is added to the log, once.
 */
#ifndef RESUME_H
#define RESUME_H

#include "entry.h"
#include "job.h"
#include "list.h"

/* A job of an earlier server. It lasts until resume_close(). */
struct past {
    struct list link;   /* in a chain of one of resume's tables */
    struct list failed; /* in a chain of resume's failed, too */
    struct list order;  /* resume's order; its done; its again; or its taken */
    uint64_t number;
    uint64_t limit_ms;
    pid_t driver;
    enum job_step step;
    bool submitted;
    bool again; /* it is run again because it had failed, as result says until it is Done */
    bool anew; /* it waits again under another number, since its own was given anew, or has files */
    uint64_t batch; /* the jobs of one server, and of those that resume it; 0: one long gone */
    struct job_result result;
    struct job_text *command;
};

/* Reads the log, if there is --resume. Returns the highest number in it, or 0. Exits if the log
 * cannot be read or is malformed. */
uint64_t resume_open(void);
void resume_close(void);

/* Reports what is lost. The logs must be open. */
void resume_start(void);

/* Standard input has ended: nobody will ask any more. */
void resume_forget(void);

/* Returns a job with that command that need not run again, or NULL. Once taken, it is not found any
 * more. */
struct past *resume_find(const struct span *command);
void resume_take(struct past *);

/* Returns a job with that command that has failed and is run again, or NULL. It must be taken. */
struct past *resume_find_failed(const struct span *command);

/* Submitted jobs that had not begun wait again. Return the next one by number, the first after
 * NULL, those that get a new number last; or the one with that command, if standard input gives it
 * again. */
struct past *resume_waiting_after(struct past *);
struct past *resume_find_waiting(const struct span *command);

/* A submitted job is about to wait again, under its number or, if that is given anew, a new one:
 * has the log say which job it is, unless its number alone says that. */
void resume_renew(const struct past *);

/* A submitted job that has waited again is Done. */
void resume_ended(struct past *, const struct job *);

#endif

/*
 * call.h: a line of a reply, which belongs to a request, and what it waits for, usually a driver's
 * answer to a question.
 */
#ifndef CALL_H
#define CALL_H

#include "deadline.h"
#include "job.h"
#include "request.h"

enum outcome {
    OUTCOME_PENDING,
    OUTCOME_STATE,     /* the driver answered: see refusal and remaining_ms */
    OUTCOME_DONE,      /* the job is Done: see job */
    OUTCOME_WAITING,   /* the job was submitted: see job */
    OUTCOME_TIMEOUT,   /* the driver did not answer in time */
    OUTCOME_DIED,      /* the driver died: see status */
    OUTCOME_DELETED,   /* the driver was told to exit, and was reaped */
    OUTCOME_NOT_BORN,  /* the driver could not be started: see error */
    OUTCOME_DEAD_BORN, /* the driver died before it said HELLO: see status */
    OUTCOME_LATE_BORN, /* the driver did not say HELLO in time */
    OUTCOME_MALFORMED, /* the driver broke the protocol before it said HELLO */
    OUTCOME_NO_DRIVER, /* the call was for any driver, and there is none */
    OUTCOME_STOPPING,  /* the server is stopping, or the client is gone */
};

/* A pid in digits, converted once for all lines that show it. */
struct pid_text {
    uint8_t size;
    char digits[11];
};

struct call {
    struct list of_request;   /* its request's calls, if there is a request */
    struct list of_driver;    /* its driver's queued, in_flight or ongoing; or giver's calls */
    struct deadline deadline; /* DEADLINE_REPLY while in flight */
    struct request *request;  /* NULL: no client waits for it */
    struct driver *driver;    /* NULL until one is found, and after the call's end */
    /* NULL: it waits for a driver's HELLO or end, or until a driver has no task or job. */
    const struct question *question;
    pid_t pid;
    struct pid_text pid_text;
    bool ongoing;          /* of_driver is its driver's ongoing, or its job's waiters */
    bool cancels;          /* it waits for the end of a job that it has cancelled */
    bool runs_job;         /* its job is the job of a run, and counts in client.jobs */
    uint32_t id;           /* the question's number on the wire */
    uint32_t cancelled_id; /* of a CANCEL: the task or job to end; 0: whichever runs */
    uint64_t duration_ms;  /* of a task */
    struct job *job;       /* the job that it runs, see job.h for who owns it; or NULL */
    enum outcome outcome;
    enum proto_refusal refusal;
    union {
        uint64_t remaining_ms; /* for OUTCOME_STATE; 0: Available */
        int status;            /* for OUTCOME_DIED and OUTCOME_DEAD_BORN: from wait(2) */
        int error;             /* for OUTCOME_NOT_BORN: an errno */
    };
};

enum {
    /* The lines that the request and the call of a job count as. While there is the job, the client
     * is not owed them: its jobs have a limit of their own. */
    JOB_OWED = 2,
};

bool calls_open(void); /* returns false if there is no memory */
void calls_close(void);
/* Appends a call to the request, or to none (NULL). Returns NULL if there is no memory. */
struct call *call_new(struct request *, const struct question *);
void call_free(struct call *); /* it is in no driver's list and has no deadline */

/* Sets the call's outcome and takes it from its driver; its client is scheduled to get the line. A
 * job that runs goes on without it. */
void call_end(struct call *, enum outcome);

#endif

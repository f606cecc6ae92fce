/*
 * call.h: a line of a reply, and what it waits for: mostly the answer to a question to a driver.
 *
 * A call belongs to its request; a driver holds it while it waits for the driver, and gives it its
 * outcome.
 */
#ifndef CALL_H
#define CALL_H

#include "deadline.h"
#include "job.h"
#include "request.h"

enum outcome {
    OUTCOME_PENDING,
    OUTCOME_STATE,     /* the driver said: see refusal and remaining_ms */
    OUTCOME_DONE,      /* the job has ended: see job */
    OUTCOME_TIMEOUT,   /* the driver did not answer in time */
    OUTCOME_DIED,      /* it died: see status */
    OUTCOME_DELETED,   /* it was told to exit, and was reaped */
    OUTCOME_NOT_BORN,  /* it could not be started: see error */
    OUTCOME_DEAD_BORN, /* it died before it said HELLO: see status */
    OUTCOME_LATE_BORN, /* it did not say HELLO in time */
    OUTCOME_MALFORMED, /* it broke the protocol before it said HELLO */
    OUTCOME_NO_DRIVER, /* any driver would do, and there is none */
    OUTCOME_STOPPING,  /* the server is being stopped */
};

/* A pid in digits, made once for all lines that show it. */
struct pid_text {
    uint8_t size;
    char digits[11];
};

struct call {
    struct list of_request;   /* request.calls, if there is a request */
    struct list of_driver;    /* driver.queued, .in_flight or .ongoing, while the driver has it */
    struct deadline deadline; /* DEADLINE_REPLY while in flight */
    struct request *request;  /* NULL: nobody waits for it */
    struct driver *driver;    /* NULL while none is found, and once the call has ended */
    /* NULL: it asks nothing, but waits for the driver's birth or end, or until it has no task. */
    const struct question *question;
    pid_t pid;
    struct pid_text pid_text;
    bool ongoing;          /* it is in driver.ongoing */
    uint32_t id;           /* the question's number on the wire */
    uint32_t cancelled_id; /* of a CANCEL: the task that it ends; 0: whichever runs */
    uint64_t duration_ms;  /* of a task, or the limit of a job */
    struct job *job;       /* of a job that will run; or NULL */
    enum outcome outcome;
    enum proto_refusal refusal;
    union {
        uint64_t remaining_ms; /* of OUTCOME_STATE; 0: Available */
        int status;            /* from wait(2) */
        int error;             /* an errno; also of PROTO_REFUSED_EXEC */
    };
};

bool calls_open(void); /* false: there is no memory */
void calls_close(void);

/* Appends a call to a request, or makes one that nobody waits for (NULL). Returns NULL if there is
 * no memory. */
struct call *call_new(struct request *, const struct question *);
void call_set_job(struct call *, struct job *); /* the call owns it from then on */
void call_free(struct call *);                  /* no driver and no deadline has it */

/* Gives the call its outcome, and takes it from its driver: the client can have the line. */
void call_end(struct call *, enum outcome);

/* Has the request, which has one call, wait in a list of clients, and its client's later commands
 * wait for it. */
void request_wait(struct request *, struct list *list);

/* End a client's wait; or that of the first client in a list. Return the call that was waiting: the
 * caller must now give it an outcome or a driver. */
struct call *client_resume(struct client *);
struct call *clients_resume_first(struct list *list);

/* Ends all waits in a list with that outcome. */
void clients_resume(struct list *list, enum outcome);

#endif

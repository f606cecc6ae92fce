/*
 * client.h: who gives commands: the console, which is standard input and output, or a connection to
 * the control socket.
 *
 * A client owns its requests, one for each command that is not answered yet, in order.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "buffer.h"
#include "list.h"
#include "stream.h"

struct format; /* reply.h */
struct request;

enum client_input {
    INPUT_OPEN,
    INPUT_ENDED, /* nothing more comes in; what is there is still run */
    INPUT_QUIT,  /* nothing more is run: the client asked to be ended */
};

enum client_output {
    OUTPUT_OPEN,
    OUTPUT_WAITS,  /* for the reader to make room */
    OUTPUT_FAILED, /* of the console: replies are dropped */
    OUTPUT_GONE,   /* of a connection whose other end is closed: so they are, and nobody waits */
};

/* Whether the FAREWELL of session.h must be the last thing that is written. */
enum client_farewell {
    FAREWELL_NONE,
    FAREWELL_WANTED, /* if it is the client that ends the conversation */
    FAREWELL_OWED,   /* in any case: the server's stop is the client's own wish */
};

enum client_prompt {
    PROMPT_NONE,
    PROMPT_HIDDEN, /* the client is a person who wants to see a prompt */
    PROMPT_SHOWN,  /* and it is the last thing that they see */
};

struct client {
    struct list link;      /* clients' connections, then those that were dropped */
    struct stream in, out; /* of a connection both are its socket, and only in is watched */
    struct buffer input, output;
    struct list requests; /* in the order of the commands */
    struct list runnable; /* clients that may have something to do */
    struct list held;     /* driver.held, while that driver's queue is full */
    struct list lacking;  /* clients for which there was no memory */
    struct list waiting;  /* dispatch's lists, or driver.awaited: those whose barrier waits there */
    /* The unanswered command that holds back the client's later ones: a create_driver, a wait, the
     * cancellation of a job, or a task or job that is still looking for a driver; or NULL. */
    struct request *barrier;
    const struct format *format; /* of the replies to its next commands */
    unsigned owed;               /* its requests and their calls */
    unsigned jobs;               /* that wait or run, among them */
    enum client_input input_state;
    enum client_output output_state;
    enum client_farewell farewell;
    enum client_prompt prompt;
    bool terminal;      /* the input is a terminal */
    bool starved;       /* no whole line is in the input */
    bool more;          /* the last read took all that there was room for */
    bool heard_out;     /* what it had sent when the server's stop began was read */
    bool skipping_line; /* the rest of a line that is too long is being dropped */
    bool output_full;   /* replies wait for room in the output */
    bool full;          /* it is owed too much, see turn.c */
};

/* Sets up a client without streams, all zero before. */
void client_init(struct client *, const struct format *);

#endif

/*
 * client.h: a client, which gives commands: the console, i.e. standard input and output, or a
 * connection to the control socket.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "buffer.h"
#include "list.h"
#include "loss.h"
#include "stream.h"

#include <sys/socket.h>

enum client_input {
    INPUT_OPEN,
    INPUT_ENDED, /* nothing more will be read; what was read is still run */
    INPUT_QUIT,  /* nothing more is run: the client asked for its end; what is read is dropped */
};

enum client_output {
    OUTPUT_OPEN,
    OUTPUT_WAITS,  /* for room: the reader is slow */
    OUTPUT_FAILED, /* only of the console: replies are dropped */
    OUTPUT_GONE,   /* only of a connection: its other end is closed; replies are dropped */
};

/* Whether FAREWELL, see turn.h, must be the last thing that is written. */
enum client_farewell {
    FAREWELL_NONE,
    FAREWELL_WANTED, /* if the client ends the conversation */
    FAREWELL_OWED,   /* in any case: the client itself asked for the server's stop */
};

enum client_prompt {
    PROMPT_NONE,
    PROMPT_HIDDEN, /* the client wants a prompt, but none is shown now */
    PROMPT_SHOWN,  /* the prompt is the last thing that was written */
};

struct client {
    struct list link;      /* clients' connections, then partings' clients, then clients' dropped */
    struct stream in, out; /* a connection: both are its socket, only in is watched */
    struct buffer input, output;
    struct list requests;    /* its own: one for each command that is not answered yet, in order */
    struct list runnable;    /* clients' runnable: it may have something to do */
    struct list held;        /* driver.held: it waits for room in that driver's queue */
    struct list lacking;     /* clients' lacking: there was no memory for it */
    struct list waiting;     /* dispatch's all or own, or driver.awaited, for its barrier */
    struct request *barrier; /* what holds back its later commands, see barrier.h; or NULL */
    struct giver *giver;     /* what it has given, see giver.h */
    const struct format *format; /* of the replies to its next commands, see format.h */
    unsigned owed;               /* reply lines to come: requests, calls, and the weight of texts */
    unsigned jobs;               /* its jobs that wait or run, or are Done and not told yet */
    uint64_t lines;              /* the lines that were taken from its input */
    enum client_input input_state;
    enum client_output output_state;
    enum client_farewell farewell;
    enum client_prompt prompt;
    bool terminal;      /* the input is a terminal */
    bool hung_up;       /* that terminal is gone */
    bool starved;       /* no whole line is in the input */
    bool more;          /* the last read filled the buffer: there may be more to read */
    bool heard_out;     /* since the stop began, what it had sent has been read */
    bool skipping_line; /* the rest of a line that is too long is being dropped */
    bool output_full;   /* replies wait for room in output */
    bool full;          /* it is owed too much, see client_owed_enough() */
    bool gave_jobs;     /* it has given at least one job */
    bool interrupted;   /* a signal stopped the server before the end of its input */
    bool stranger;      /* another user's, which is refused */
    struct ucred peer;  /* of a connection: the process that connected, unix(7) */
    struct loss loss;   /* once it is gone */
    int64_t part_by_ns; /* when it is dropped at the latest, see parting.h */
};

/* Initializes a client, which must be all zero, but not its streams. */
void client_init(struct client *, const struct format *);

#endif

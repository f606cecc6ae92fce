/*
 * link.h: a driver's end of its socket to the server, and the frames that go through it.
 *
 * What it holds is bounded: a server that does not read its answers is not read from. It is
 * zeroed at first, and allocates nothing.
 */
#ifndef LINK_H
#define LINK_H

#include "../proto.h"
#include "source.h"

enum {
    /* How many bytes of requests are read at once, and of answers sent: what a server that
     * pipelines has sent by the time we run. Pages that are never touched cost nothing. */
    LINK_INPUT_SIZE = 32 * 1024,
    LINK_OUTPUT_SIZE = 32 * 1024,
};

struct link {
    struct source source; /* PROTO_FD; fd -1: the server is gone */
    size_t input_start;   /* what came in and was not handled yet: from here */
    size_t input_end;     /* to here */
    size_t output_size;   /* bytes not sent yet */
    unsigned char output[LINK_OUTPUT_SIZE];
    unsigned char input[LINK_INPUT_SIZE];
};

/* Sets up PROTO_FD, which is nonblocking, and watches it. Returns false with errno on failure; the
 * descriptor is -1 if it could not be set up. */
bool link_open(struct link *, void (*ready)(struct source *, uint32_t events));

/* Closes the socket and drops what was not sent. */
void link_close(struct link *);

/* Reads what has come, unless there is something to send first. Returns false if the server is
 * gone. */
bool link_receive(struct link *);

/* Takes the next request, see proto_decode(); its text and long body are at *data until
 * link_receive(). Without room for what a request may be answered, there is none yet. */
enum proto_verdict link_next(struct link *, struct proto_frame *request, const void **data);

/* Whether there is no room for the answers to a request. */
bool link_is_full(const struct link *);

/* Appends a whole frame, or a part of one, to what is to be sent. */
void link_put(struct link *, const void *data, size_t size);

/* Sends what is there; what is left waits for link_watch(). Returns false if the server is gone. */
bool link_flush(struct link *);

/* Watches the socket for what comes next: room if something is unsent, else a request. Returns
 * false with errno on failure. */
bool link_watch(struct link *);

#endif

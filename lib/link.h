/*
 * link.h: a driver's end of its socket to the server, and the frames that go through it.
 *
 * What it holds is bounded: a server that does not read its answers is not read from. It is zeroed
 * at first, and allocates nothing. What each request and each answer come through is inline.
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
    /* A request adds at most two frames to the output (the END of a task and its own STATE), and
     * the timer one more. */
    LINK_RESERVE = 3 * PROTO_FRAME_MAX,
};

struct link {
    struct source source;          /* PROTO_FD; fd -1: the server is gone */
    size_t input_start, input_end; /* where the bytes are that came in and were not handled yet */
    size_t output_size;            /* bytes not sent yet */
    unsigned char output[LINK_OUTPUT_SIZE];
    unsigned char input[LINK_INPUT_SIZE];
};

/* Sets up PROTO_FD, which is nonblocking, and watches it. Returns false with errno on failure; the
 * descriptor is -1 if it could not be set up. */
bool link_open(struct link *, void (*ready)(struct source *, uint32_t events));

/* Closes the socket and drops what was not sent. */
void link_close(struct link *);

/* Reads what has come, unless something must be sent first. Returns false if the server is gone. */
bool link_receive(struct link *);

/* Sends what is there; what is left waits for link_watch(). Returns false if the server is gone. */
bool link_flush(struct link *);

/* Watches the socket for what comes next: room if something is unsent, else a request. Returns
 * false with errno on failure. */
bool link_watch(struct link *);

/* Whether there is no room for the answers to a request. */
static inline bool
link_is_full(const struct link *link)
{
    return sizeof(link->output) - link->output_size < LINK_RESERVE;
}

/* Takes the next request, see proto_decode(), unless the output is full; its text and long body are
 * at *data until link_receive(). */
static inline enum proto_verdict
link_next(struct link *link, struct proto_frame *request, const void **data)
{
    size_t size = link_is_full(link) ? 0 : link->input_end - link->input_start;

    *data = link->input + link->input_start;
    enum proto_verdict verdict = proto_decode(PROTO_FROM_SERVER, *data, size, request);
    if (verdict == PROTO_COMPLETE)
        link->input_start += proto_size(request);
    return verdict;
}

/* Appends a whole frame, or a part of one, to what is to be sent. */
static inline void
link_put(struct link *link, const void *data, size_t size)
{
    assert(size <= sizeof(link->output) - link->output_size);
    memcpy(link->output + link->output_size, data, size);
    link->output_size += size;
}

#endif

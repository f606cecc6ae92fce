/*
 * link.h: a driver's end of the socket to its server, and the frames that pass through it.
 *
 * Its memory is bounded: we read nothing from a server that does not read our answers. The link is
 * all zero at first, and nothing here allocates.
 */
#ifndef LINK_H
#define LINK_H

#include "../proto.h"
#include "source.h"

#include <sys/types.h>

enum {
    /* In bytes: about what a server that pipelines requests has sent by the time that we run. Pages
     * of it that are never touched cost nothing. */
    LINK_INPUT_SIZE = 32 * 1024,
    LINK_OUTPUT_SIZE = 32 * 1024,
    /* A request adds at most two frames to the output: its STATE, and the END or RESULT of a task
     * or job. A signal or the timer may add one more. A BEGUN is added only when there is no other
     * output. */
    LINK_RESERVE = 3 * PROTO_FRAME_MAX,
};

struct link {
    struct source source;          /* its fd is PROTO_FD, or -1 once the server is gone */
    size_t input_start, input_end; /* offsets in input: what is not handled yet */
    size_t output_size;            /* in bytes: what is not sent yet */
    bool patient;                  /* it may wait for what follows, or for the next link_flush() */
    unsigned char output[LINK_OUTPUT_SIZE];
    unsigned char input[LINK_INPUT_SIZE];
};

/* Returns the pid of the process that made PROTO_FD, one end of a socketpair, or 0 if it is
 * none. */
pid_t link_maker(void);

/* Sets up PROTO_FD, which is nonblocking, and watches it. Returns false with errno on failure;
 * source.fd is -1 if PROTO_FD could not be set up. */
bool link_open(struct link *, void (*ready)(struct source *, uint32_t events));

/* Closes the socket, and drops what is not sent yet. */
void link_close(struct link *);

/* Reads what has arrived, unless output must be sent first. Returns false if the server is gone. */
bool link_receive(struct link *);

/* Sends as much output as the socket takes. Returns false if the server is gone. */
bool link_flush(struct link *);

/* Watches the socket: for room if there is unsent output, and otherwise for requests. Returns false
 * with errno on failure. */
bool link_watch(struct link *);

/* Takes the next request, see proto_decode(), unless the output is full. The whole frame is at
 * *data until the next link_receive(). */
enum proto_verdict link_next(struct link *, struct proto_frame *request, const void **data);

/* Whether there may be no room for what a request adds to the output. */
static inline bool
link_is_full(const struct link *link)
{
    return sizeof(link->output) - link->output_size < LINK_RESERVE;
}

/* Appends a frame, or a part of one, to the output. The caller has made sure that there is room. */
static inline void
link_put(struct link *link, const void *data, size_t size)
{
    assert(size <= sizeof(link->output) - link->output_size);
    memcpy(link->output + link->output_size, data, size);
    link->output_size += size;
}

#endif

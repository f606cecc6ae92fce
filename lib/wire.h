/*
 * wire.h: frames to and from a driver that were sent, or have arrived, only in part.
 */
#ifndef WIRE_H
#define WIRE_H

#include "job_text.h"

/* Sizes are in bytes. */
struct wire {
    /* The beginning of a frame that has not arrived completely. */
    uint8_t in_size;
    unsigned char in[PROTO_FRAME_MAX];
    /* The unsent rest of a frame; if that is a RUN, the last text_size bytes of text follow. */
    uint8_t out_size;
    unsigned char out[PROTO_FRAME_MAX];
    uint16_t text_size;
    struct job_text *text; /* shared with its job; or NULL */
};

/* Copies what has arrived of a frame, or what is unsent of one, to data. Return its size. */
size_t wire_arrived(const struct wire *, unsigned char *data);
size_t wire_unsent(const struct wire *, unsigned char *data);

/* Keeps what has arrived of a frame, which is less than the whole frame. */
void wire_keep_arrived(struct wire *, const unsigned char *data, size_t size);

/* The frame that was sent last has that text, or none (NULL). */
void wire_set_text(struct wire *, struct job_text *);

/* Keeps the last size bytes of that frame, which are unsent. Those that do not belong to its text,
 * if it has one, are at data. */
void wire_keep_unsent(struct wire *, const unsigned char *data, size_t size);

#endif

/*
 * buffer.h: a client's input or output.
 *
 * A buffer has a block of memory, from a pool, only while it holds something. What it holds is in
 * one piece, from start to end.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include "text.h"

#include <assert.h>
#include <string.h>

enum {
    /* As much as a pipe holds, so that one system call can move all of that. */
    BLOCK_SIZE = 64 * 1024,
};

struct buffer {
    char *data;        /* a block of BLOCK_SIZE; NULL while there is none */
    size_t start, end; /* offsets in data, in bytes */
};

/* Allocates the first two blocks. Returns false if there is no memory. */
bool buffers_open(void);
void buffers_close(void);

/* Makes sure that count more buffers, at most two, can get a block. Returns false if there is no
 * memory. */
bool buffers_available(unsigned count);

/* Makes sure that the buffer has a block, and moves what it holds to the block's beginning. Returns
 * false if there is no memory. */
bool buffer_prepare(struct buffer *);

/* Drops size bytes, which may be 0, from the beginning. An empty buffer gives its block back. */
void buffer_consume(struct buffer *, size_t size);

static inline size_t
buffer_used(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* How many bytes can be appended. */
static inline size_t
buffer_room(const struct buffer *buffer)
{
    return BLOCK_SIZE - buffer->end;
}

/* Append to the buffer. The caller has made sure that there is room. */
static inline void
buffer_append(struct buffer *buffer, const char *text, size_t size)
{
    assert(size <= buffer_room(buffer));
    memcpy(buffer->data + buffer->end, text, size);
    buffer->end += size;
}

/* Inline, so that the compiler computes the strlen() of a literal. */
static inline void
buffer_append_string(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

static inline void
buffer_append_number(struct buffer *buffer, uint64_t number)
{
    assert(buffer_room(buffer) >= DIGITS_MAX);
    buffer->end += number_put(buffer->data + buffer->end, number);
}

#endif

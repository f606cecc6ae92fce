/*
 * buffer.h: a block of a client's input or output.
 *
 * A buffer takes its block from one pool when there is something to hold, and gives it back when
 * it is empty. What it holds lies in one piece, from start to end.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include "text.h"

#include <assert.h>
#include <string.h>

enum {
    /* As much as a pipe holds, so that one system call moves all that is there. */
    BLOCK_SIZE = 64 * 1024,
};

struct buffer {
    char *data; /* a block; NULL while there is none */
    size_t start, end;
};

/* Allocates the first blocks. Returns false if there is no memory. */
bool buffers_open(void);
void buffers_close(void);

/* Makes sure that so many more buffers, at most two, can have a block. Returns false if there is no
 * memory. */
bool buffers_available(unsigned count);

/* Makes sure that there is a block, and moves what it holds to its beginning. Returns false if
 * there is no memory. */
bool buffer_prepare(struct buffer *);

/* Drops that many bytes from the beginning; an empty buffer gives its block back. */
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

/* The caller has made sure that there is room; so below. */
static inline void
buffer_append(struct buffer *buffer, const char *text, size_t size)
{
    assert(size <= buffer_room(buffer));
    memcpy(buffer->data + buffer->end, text, size);
    buffer->end += size;
}

/* Inline, so that a literal costs no strlen(). */
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

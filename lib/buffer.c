#include "buffer.h"

#include "pool.h"

static struct pool block_pool = {.size = BLOCK_SIZE, .per_slab = 2};

bool
buffers_open(void)
{
    return pool_grow(&block_pool);
}

void
buffers_close(void)
{
    pool_free(&block_pool);
}

bool
buffers_available(unsigned count)
{
    return pool_has(&block_pool, count);
}

bool
buffer_prepare(struct buffer *buffer)
{
    if (buffer->data == NULL) {
        buffer->data = pool_get(&block_pool);
        return buffer->data != NULL;
    }
    memmove(buffer->data, buffer->data + buffer->start, buffer_used(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
    return true;
}

void
buffer_consume(struct buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start == buffer->end && buffer->data != NULL) {
        pool_put(&block_pool, buffer->data);
        *buffer = (struct buffer){0};
    }
}

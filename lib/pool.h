/*
 * pool.h: objects of one size, which are handed out and taken back. A pool allocates memory only
 * when it grows, and keeps it until pool_free().
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool {
    size_t size;
    unsigned per_slab; /* of an object, in bytes */
    struct pool_item *free;
    struct pool_slab *slabs;
};

struct pool_item {
    struct pool_item *next;
};

/* Set whenever an object of any pool is given back: what failed for lack of memory can be tried
 * again. clients_retry() clears it. */
extern bool pool_freed;

/* Adds objects. Returns false with errno if there is no memory. */
bool pool_grow(struct pool *);

/* Makes sure that the next count calls of pool_get() succeed; count is at most two. Returns false
 * if there is no memory. */
bool pool_has(struct pool *, unsigned count);

/* Whether all objects have been given back. */
bool pool_is_whole(const struct pool *);

/* Frees all objects, even those that have not been given back. */
void pool_free(struct pool *);

/* Returns an object, uninitialized, or NULL with errno if there is no memory. */
static inline void *
pool_get(struct pool *pool)
{
    if (pool->free == NULL && !pool_grow(pool))
        return NULL;
    struct pool_item *item = pool->free;
    pool->free = item->next;
    return item;
}

static inline void
pool_put(struct pool *pool, void *object)
{
    struct pool_item *item = object;

    item->next = pool->free;
    pool->free = item;
    pool_freed = true;
}

#endif

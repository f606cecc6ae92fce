/*
 * pool.h: objects of one size, handed out and taken back. Only growing allocates; what a pool has
 * grown to, it keeps until pool_free().
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool {
    size_t size;
    unsigned per_slab; /* objects that growing adds; two at least */
    struct pool_item *free;
    struct pool_slab *slabs;
};

struct pool_item {
    struct pool_item *next;
};

/* Set whenever an object is given back, so that what lacked memory can be tried again; whoever
 * tries clears it. */
extern bool pool_freed;

/* Adds objects. Returns false with errno if there is no memory. */
bool pool_grow(struct pool *);

/* Makes sure that there are that many objects, at most two. Returns false if there is no memory. */
bool pool_has(struct pool *, unsigned count);

/* Whether all objects have been given back. */
bool pool_is_whole(const struct pool *);

/* Frees all objects, also those that are handed out. */
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

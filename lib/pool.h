/*
 * pool.h: objects of one size, which are handed out and taken back. A pool allocates memory only
 * when it grows, and gives it back only in pools_look() and pool_free().
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool {
    size_t size;             /* of an object, in bytes */
    unsigned per_slab;       /* objects */
    struct pool_item *free;  /* objects that can be handed out */
    struct pool_slab *slabs; /* with objects that are in use, or were since the last look */
    struct pool_slab *spare; /* whole slabs that were not needed since the last look */
    bool sorting;            /* some free objects are in the lists of their slabs */
    struct pool *next;       /* the next of all pools that have slabs */
};

struct pool_item {
    struct pool_item *next;
};

/* Set whenever an object of any pool is given back: what failed for lack of memory can be tried
 * again. memory_tend() clears it. */
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

/* Whether the pools hold so much memory that a look at them may be worth its time. */
bool pools_are_large(void);

/*
 * Goes on with a look at all pools, for about a millisecond. Returns true when the look is
 * complete. Each look sets slabs aside whose objects are all free, and gives those to free() that
 * the look before has set aside and that have not been needed since. So what is always in use is
 * kept, although nothing is counted when an object is handed out.
 */
bool pools_look(void);

/* Whether the next look will give memory back. */
bool pools_have_spare(void);

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

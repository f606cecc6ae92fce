#include "pool.h"

#include <stdlib.h>

struct pool_slab {
    struct pool_slab *next;
    _Alignas(max_align_t) char items[];
};

bool pool_freed;

/* Not inlined: it is rarely called, but every pool_get() would then save registers for it. */
__attribute__((noinline)) bool
pool_grow(struct pool *pool)
{
    struct pool_slab *slab = malloc(sizeof(*slab) + pool->per_slab * pool->size);

    if (slab == NULL)
        return false;
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (unsigned i = 0; i < pool->per_slab; i++) {
        struct pool_item *item = (void *)(slab->items + i * pool->size);
        item->next = pool->free;
        pool->free = item;
    }
    return true;
}

bool
pool_has(struct pool *pool, unsigned count)
{
    if (count == 0 || (pool->free != NULL && (count == 1 || pool->free->next != NULL)))
        return true;
    return pool_grow(pool);
}

bool
pool_is_whole(const struct pool *pool)
{
    size_t all = 0, free = 0;

    for (const struct pool_slab *slab = pool->slabs; slab != NULL; slab = slab->next)
        all += pool->per_slab;
    for (const struct pool_item *item = pool->free; item != NULL; item = item->next)
        free++;
    return all == free;
}

void
pool_free(struct pool *pool)
{
    while (pool->slabs != NULL) {
        struct pool_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        free(slab);
    }
    pool->free = NULL;
}

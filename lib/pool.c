#include "pool.h"

#include <stdlib.h>

enum {
    /* What all pools together may keep, in bytes. A server with a few dozen clients needs no more,
     * and so never looks. */
    POOLS_KEPT = 1024 * 1024,
    LOOK_OBJECTS = 8192, /* in one call of pools_look(): about a millisecond */
    /* Freeing a slab takes as long as looking at SLAB_WORTH objects, and at one more for each
     * BYTES_WORTH bytes, since the kernel takes its pages back. */
    SLAB_WORTH = 16,
    BYTES_WORTH = 512,
};

/* Each object has a pointer to its slab in front of it. */
struct pool_slab {
    struct pool_slab *next;         /* its pool's slabs or spare */
    struct pool_item *first, *last; /* its free objects, as far as a look has found them */
    unsigned count;                 /* how many these are */
    _Alignas(max_align_t) char objects[];
};

bool pool_freed;

static struct {
    struct pool *first; /* all pools that have slabs */
    size_t size;        /* of all their slabs, in bytes */
    struct pool *at;    /* the pool that the look is at; NULL: no look is under way */
    bool returned;      /* its spare slabs have been freed */
} pools;

/* ---- slabs ----------------------------------------------------------------------------------- */

static struct pool_slab **
slab_of(struct pool_item *item)
{
    return (struct pool_slab **)(void *)item - 1;
}

/* How far apart the objects are. */
static size_t
object_step(const struct pool *pool)
{
    size_t align = sizeof(struct pool_slab *);

    return align + (pool->size + align - 1) / align * align;
}

static size_t
slab_size(const struct pool *pool)
{
    return sizeof(struct pool_slab) + pool->per_slab * object_step(pool);
}

static void
slab_add(struct pool_slab *slab, struct pool_item *item)
{
    item->next = slab->first;
    slab->first = item;
    if (slab->count++ == 0)
        slab->last = item;
}

/* Makes the slab's free objects ones that its pool can hand out. */
static void
slab_use(struct pool_slab *slab, struct pool *pool)
{
    slab->last->next = pool->free;
    pool->free = slab->first;
    slab->first = NULL;
    slab->count = 0;
}

static void
slab_push(struct pool_slab *slab, struct pool_slab **list)
{
    slab->next = *list;
    *list = slab;
}

static struct pool_slab *
slab_pop(struct pool_slab **list)
{
    struct pool_slab *slab = *list;

    *list = slab->next;
    return slab;
}

/* Returns a slab whose objects are all free, or NULL with errno if there is no memory. */
static struct pool_slab *
slab_new(struct pool *pool)
{
    struct pool_slab *slab = malloc(slab_size(pool));

    if (slab == NULL)
        return NULL;
    if (pool->slabs == NULL && pool->spare == NULL) {
        pool->next = pools.first;
        pools.first = pool;
    }
    pools.size += slab_size(pool);
    slab->first = NULL;
    slab->count = 0;
    for (unsigned i = 0; i < pool->per_slab; i++) {
        char *object = slab->objects + i * object_step(pool) + sizeof(struct pool_slab *);
        struct pool_item *item = (void *)object;
        *slab_of(item) = slab;
        slab_add(slab, item);
    }
    return slab;
}

static void
slab_free(struct pool_slab *slab, const struct pool *pool)
{
    pools.size -= slab_size(pool);
    free(slab);
}

/* ---- a pool ---------------------------------------------------------------------------------- */

/* The look is done with a pool: its slabs that are whole become spare ones, and the free objects of
 * the others can be handed out again. The oldest slabs come first then, so that others can become
 * whole. */
static void
pool_sorted(struct pool *pool)
{
    struct pool_slab *all = pool->slabs;

    pool->slabs = NULL;
    pool->sorting = false;
    while (all != NULL) {
        struct pool_slab *slab = slab_pop(&all);
        bool whole = slab->count == pool->per_slab;
        if (!whole && slab->count > 0)
            slab_use(slab, pool);
        slab_push(slab, whole ? &pool->spare : &pool->slabs);
    }
    if (pools.at == pool) {
        pools.at = pool->next;
        pools.returned = false;
    }
}

/* Not inlined: it is rarely called, but every pool_get() would then save registers for it. */
__attribute__((noinline)) bool
pool_grow(struct pool *pool)
{
    if (pool->sorting) {
        struct pool_item *free = pool->free;
        pool_sorted(pool);
        if (pool->free != free)
            return true;
    }
    struct pool_slab *slab = pool->spare != NULL ? slab_pop(&pool->spare) : slab_new(pool);
    if (slab == NULL)
        return false;
    slab_push(slab, &pool->slabs);
    slab_use(slab, pool);
    return true;
}

static bool
pool_has_now(const struct pool *pool, unsigned count)
{
    return count == 0 || (pool->free != NULL && (count == 1 || pool->free->next != NULL));
}

bool
pool_has(struct pool *pool, unsigned count)
{
    while (!pool_has_now(pool, count))
        if (!pool_grow(pool))
            return false;
    return true;
}

bool
pool_is_whole(const struct pool *pool)
{
    size_t in_slabs = 0, free = 0;

    for (const struct pool_slab *slab = pool->slabs; slab != NULL; slab = slab->next) {
        in_slabs += pool->per_slab;
        free += slab->count;
    }
    for (const struct pool_item *item = pool->free; item != NULL; item = item->next)
        free++;
    return in_slabs == free;
}

void
pool_free(struct pool *pool)
{
    struct pool **at = &pools.first;

    while (*at != NULL && *at != pool)
        at = &(*at)->next;
    if (*at != NULL)
        *at = pool->next;
    pools.at = NULL;
    while (pool->slabs != NULL)
        slab_free(slab_pop(&pool->slabs), pool);
    while (pool->spare != NULL)
        slab_free(slab_pop(&pool->spare), pool);
    pool->free = NULL;
    pool->sorting = false;
}

/* ---- all pools ------------------------------------------------------------------------------- */

bool
pools_are_large(void)
{
    return pools.size > POOLS_KEPT;
}

/* Whether the pool can do without a spare slab. It always keeps one slab, see requests_open(). */
static bool
pool_can_return(const struct pool *pool)
{
    return pools_are_large() && pool->spare != NULL &&
           (pool->slabs != NULL || pool->spare->next != NULL);
}

/* Returns what is left of the budget. */
static unsigned
pool_return(struct pool *pool, unsigned budget)
{
    unsigned worth = SLAB_WORTH + (unsigned)(slab_size(pool) / BYTES_WORTH);

    while (budget >= worth && pool_can_return(pool)) {
        slab_free(slab_pop(&pool->spare), pool);
        budget -= worth;
    }
    return budget;
}

/* Sorts free objects by slabs. Returns what is left of the budget. */
static unsigned
pool_sort(struct pool *pool, unsigned budget)
{
    pool->sorting = true;
    for (; budget > 0 && pool->free != NULL; budget--) {
        struct pool_item *item = pool->free;
        pool->free = item->next;
        slab_add(*slab_of(item), item);
    }
    return budget;
}

bool
pools_look(void)
{
    unsigned budget = LOOK_OBJECTS;

    if (pools.at == NULL) {
        pools.at = pools.first;
        pools.returned = false;
    }
    while (pools.at != NULL) {
        struct pool *pool = pools.at;
        if (!pools.returned)
            budget = pool_return(pool, budget);
        pools.returned |= !pool_can_return(pool);
        if (pools.returned)
            budget = pool_sort(pool, budget);
        if (!pools.returned || pool->free != NULL)
            return false; /* the budget is used up */
        pool_sorted(pool);
    }
    return true;
}

bool
pools_have_spare(void)
{
    const struct pool *pool = pools.first;

    while (pool != NULL && !pool_can_return(pool))
        pool = pool->next;
    return pool != NULL;
}

/* lib/pool.h: objects handed out and taken back, also without memory. */
#include "lib/pool.h"

#include "check.h"

#include <errno.h>

enum {
    PER_SLAB = 3,
    SIZE = 40,
};

static struct pool pool = {.size = SIZE, .per_slab = PER_SLAB};

/* Whether memory is lacking from now on, see tests/faults/inject.c. */
static void
lack_memory(bool lacking)
{
    if (lacking)
        setenv("FAULT", "malloc:ENOMEM:1+", 1);
    else
        unsetenv("FAULT");
}

static void
test_growing(void)
{
    char *objects[2 * PER_SLAB];

    CHECK(pool_is_whole(&pool)); /* nothing of nothing */
    CHECK(pool_grow(&pool) && pool_is_whole(&pool));
    for (size_t i = 0; i < 2 * PER_SLAB; i++) {
        objects[i] = pool_get(&pool);
        CHECK(objects[i] != NULL && (uintptr_t)objects[i] % _Alignof(void *) == 0);
        CHECK(!pool_is_whole(&pool));
        memset(objects[i], (int)i, SIZE);
    }
    for (size_t i = 0; i < 2 * PER_SLAB; i++) /* none overlaps another */
        CHECK(objects[i][0] == (char)i && objects[i][SIZE - 1] == (char)i);
    lack_memory(true);
    CHECK(pool.free == NULL && pool_get(&pool) == NULL &&
          errno == ENOMEM); /* the slabs are used up */
    lack_memory(false);
    pool_freed = false;
    for (size_t i = 0; i < 2 * PER_SLAB; i++) {
        CHECK(!pool_is_whole(&pool));
        pool_put(&pool, objects[i]);
    }
    CHECK(pool_freed && pool_is_whole(&pool));
    lack_memory(true);
    CHECK(pool_get(&pool) == objects[2 * PER_SLAB - 1]); /* the last, which the cache holds */
    pool_put(&pool, objects[2 * PER_SLAB - 1]);
    lack_memory(false);
}

static void
test_having(void)
{
    lack_memory(true);
    CHECK(pool_has(&pool, 0));
    CHECK(!pool_has(&pool, 1));
    CHECK(!pool_has(&pool, 2));
    CHECK(!pool_grow(&pool) && errno == ENOMEM);
    lack_memory(false);
    CHECK(pool_has(&pool, 1) && pool_is_whole(&pool));
    lack_memory(true);
    for (size_t i = 0; i < PER_SLAB - 1; i++) {
        CHECK(pool_has(&pool, 2));
        CHECK(pool_get(&pool) != NULL);
    }
    CHECK(pool_has(&pool, 1));
    CHECK(!pool_has(&pool, 2)); /* one is left */
    CHECK(pool_has(&pool, 0));
    CHECK(pool_get(&pool) != NULL);
    CHECK(!pool_has(&pool, 1));
    lack_memory(false);
    CHECK(pool_has(&pool, 2)); /* has grown */
    lack_memory(true);
    CHECK(pool_get(&pool) != NULL && pool_get(&pool) != NULL);
    lack_memory(false);
}

static void
test_freeing(void)
{
    CHECK(pool_get(&pool) != NULL);
    pool_free(&pool); /* with objects that were not given back */
    CHECK(pool.slabs == NULL && pool.free == NULL && pool_is_whole(&pool));
    pool_free(&pool);
    CHECK(pool_get(&pool) != NULL);
    pool_free(&pool);
}

enum {
    BIG = 64 * 1024,
    MANY = 100,    /* slabs of big objects */
    SMALL = 40000, /* more than one call of pools_look() gets through */
};

static struct pool big_pool = {.size = BIG, .per_slab = 2},
                   small_pool = {.size = 16, .per_slab = 4};

/* Makes one look, whatever it takes. */
static void
look(void)
{
    while (!pools_look())
        ;
}

static char *objects[2 * MANY];

static void
take(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        objects[i] = pool_get(&big_pool);
        CHECK(objects[i] != NULL);
        memset(objects[i], (int)i, BIG);
    }
}

static void
give_back(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        CHECK(objects[i][0] == (char)i && objects[i][BIG - 1] == (char)i);
        pool_put(&big_pool, objects[i]);
    }
}

/* A slab that two looks find free, and that is not needed in between, is given back, as long as the
 * pools hold more than they may keep. */
static void
test_giving_back(void)
{
    CHECK(!pools_are_large() && !pools_have_spare() && pools_look()); /* there is nothing */
    take(0, 2 * MANY);
    CHECK(pools_are_large());
    look();
    CHECK(!pools_have_spare()); /* all are in use */
    give_back(2, 2 * MANY);
    look();
    CHECK(pools_have_spare() && !pool_is_whole(&big_pool));
    lack_memory(true);
    take(2, MANY); /* from what was set aside */
    lack_memory(false);
    look();
    look();
    look();
    CHECK(!pools_have_spare() && pools_are_large()); /* half of it is still in use */
    give_back(0, MANY);
    CHECK(pool_is_whole(&big_pool));
    look();
    CHECK(pools_have_spare() && pool_is_whole(&big_pool));
    look();
    look();
    CHECK(!pools_have_spare() && !pools_are_large());
    lack_memory(true);
    take(0, 2); /* something is always kept */
    lack_memory(false);
    give_back(0, 2);
}

/* In the middle of a look, all that is free can still be had, and nothing is had twice. */
static void
test_interrupted_look(void)
{
    static void *small[SMALL];

    for (size_t i = 0; i < SMALL; i++)
        small[i] = pool_get(&small_pool);
    for (size_t i = 0; i < SMALL; i++)
        pool_put(&small_pool, small[i]);
    while (!small_pool.sorting)
        CHECK(!pools_look());
    CHECK(pool_is_whole(&small_pool));
    lack_memory(true);
    for (size_t i = 0; i < SMALL; i++) {
        small[i] = pool_get(&small_pool);
        CHECK(small[i] != NULL);
        memset(small[i], 0xff, sizeof(void *));
    }
    CHECK(pool_get(&small_pool) == NULL && !pool_is_whole(&small_pool));
    lack_memory(false);
    look();
    for (size_t i = 0; i < SMALL; i++) {
        CHECK(*(unsigned char *)small[i] == 0xff);
        pool_put(&small_pool, small[i]);
    }
    look();
    CHECK(pool_is_whole(&small_pool));
}

int
main(void)
{
    test_growing();
    pool_free(&pool);
    test_having();
    test_freeing();
    test_giving_back();
    test_interrupted_look();
    pool_free(&small_pool);
    pool_free(&big_pool);
    return checks_failed();
}

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
    pool_free(&pool); /* with objects that were not given back */
    CHECK(pool.slabs == NULL && pool.free == NULL && pool_is_whole(&pool));
    pool_free(&pool);
    CHECK(pool_get(&pool) != NULL);
    pool_free(&pool);
}

int
main(void)
{
    test_growing();
    pool_free(&pool);
    test_having();
    test_freeing();
    return checks_failed();
}

#include "giver.h"

#include "pool.h"

static struct pool giver_pool = {.size = sizeof(struct giver), .per_slab = 60};

void
giver_init(struct giver *giver)
{
    *giver = (struct giver){0};
    list_init(&giver->turn);
    list_init(&giver->calls);
}

struct giver *
giver_new(void)
{
    struct giver *giver = pool_get(&giver_pool);

    if (giver != NULL)
        giver_init(giver);
    return giver;
}

void
giver_release(struct giver *giver)
{
    if (!giver->gone || giver->tasks > 0 || giver->jobs > 0)
        return;
    list_remove(&giver->turn);
    pool_put(&giver_pool, giver);
}

void
givers_close(void)
{
    pool_free(&giver_pool);
}

#include "memory.h"

#include "clients.h"
#include "clock.h"
#include "deadline.h"
#include "pool.h"

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    /* Between two looks. What was given back is set aside by the next one, and goes back to the
     * kernel with the one after that, unless it was needed in between. */
    LOOK_MS = 1000,
    GO_ON_MS = 4,             /* in the middle of a look, which takes a millisecond at a time */
    LOOSE_KEPT = 1024 * 1024, /* in bytes: what may stay in the heap, beside the pools */
};

static struct {
    struct deadline look; /* DEADLINE_MEMORY */
    bool looking;         /* a look is under way */
    bool returns;         /* it gives memory back */
    bool freed;           /* since it has begun, an object was given back to its pool */
    size_t loose;         /* see memory_note_freed() */
} memory;

void
memory_open(void)
{
    deadline_init(&memory.look);
}

static void
look_in(int64_t milliseconds)
{
    deadline_start_for(&memory.look, DEADLINE_MEMORY, milliseconds * NS_PER_MS);
}

void
memory_tend(void)
{
    memory.freed |= pool_freed;
    bool due = (memory.freed && pools_are_large()) || memory.loose > LOOSE_KEPT;
    if (due && !deadline_is_set(&memory.look))
        look_in(LOOK_MS);
    clients_retry();
}

void
memory_may_be_back(void)
{
    pool_freed = true;
}

void
memory_note_freed(size_t size)
{
    memory.loose += size;
}

/* By itself, glibc gives back only what is at the end of the heap, or was mapped for one object. */
static void
heap_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    memory.loose = 0;
}

void
memory_look(void)
{
    deadline_stop(&memory.look);
    if (!memory.looking) {
        memory.freed = false;
        memory.returns = pools_have_spare() || memory.loose > 0;
    }
    memory.looking = !pools_look();
    if (memory.looking) {
        look_in(GO_ON_MS);
        return;
    }
    if (memory.returns)
        heap_trim();
    if (pools_have_spare())
        look_in(LOOK_MS);
}

#include "clock.h"

#include <time.h>

int64_t clock_turn_ns;

int64_t
clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock, clock_gettime(2) */
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

void
clock_look(void)
{
    clock_turn_ns = clock_ns();
}

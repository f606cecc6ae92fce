/*
 * bare-pause: a process that only pauses.
 */
#include <unistd.h>

int
main(void)
{
    return pause();
}

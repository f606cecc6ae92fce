#include "stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

bool
stack_has(size_t size)
{
    /* The path of the program is the first thing in a stack, execve(2). */
    uintptr_t start = getauxval(AT_EXECFN), here = (uintptr_t)__builtin_frame_address(0);
    size_t used = start > here ? start - here : 0;
    struct rlimit limit;

    return getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
           limit.rlim_cur >= used + size;
}

void
stack_check(void)
{
    static const char message[] =
        "server: the stack is too small: 40 KiB are needed in addition to arguments and "
        "environment, see ulimit -s\n";

    if (stack_has(STACK_OF_SERVER))
        return;
    ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)written;
    _exit(EXIT_FAILURE);
}

/*
 * stack.h: whether the stack is large enough. A program that needs more of it than RLIMIT_STACK
 * allows is killed without a word, getrlimit(2).
 */
#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stddef.h>

enum {
    /* In bytes. A line of the log that the handler of a signal writes takes most: 26 KiB. */
    STACK_OF_SERVER = 40 * 1024,
    /* To end a job takes most: 9 KiB. */
    STACK_OF_DRIVER = 16 * 1024,
};

/* Whether that much is left for what main() calls. The arguments and the environment are in the
 * same stack. */
bool stack_has(size_t size);

/* The same, for the server and its client mode. Exits if it is not, with a line on standard error;
 * err(3) would need more stack. */
void stack_check(void);

#endif

/*
 * memory.h: memory that is not needed any more goes back to the kernel within five seconds.
 *
 * Only a server that holds a lot of memory looks for that, and only after something was given back.
 * So an idle server is not woken.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

void memory_open(void);

/* Called at the end of each turn. Also has clients try again what failed for lack of memory, if
 * some was given back. */
void memory_tend(void);

/* Another process may have freed memory: what failed for lack of it is tried again. */
void memory_may_be_back(void);

/* Notes that memory of that size, which is no pool's, was given to free(). */
void memory_note_freed(size_t size);

/* The time of DEADLINE_MEMORY is over. */
void memory_look(void);

#endif

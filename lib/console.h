/*
 * console.h: standard input and output, as a client.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>

/* Sets up the console. Exits if standard input cannot be read and there can be no other client. */
void console_open(void);
void console_close(void);

/* Whether nobody can write to standard input any more, even if not all of it has been read: while a
 * client is held back, its input is not read. */
bool console_has_ended(void);

/* The shell has continued us (SIGCONT). */
void console_continued(void);

#endif

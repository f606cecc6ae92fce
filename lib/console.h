/*
 * console.h: standard input and output, as a client.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

/* Sets up the console. Exits if standard input cannot be read and there can be no other client. */
void console_open(void);
void console_close(void);

/* The shell has continued us (SIGCONT). */
void console_continued(void);

#endif

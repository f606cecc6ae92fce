/*
 * console.h: standard input and output, as a client.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

/* Sets the console up. Exits if standard input cannot be read and there can be no other client. */
void console_open(void);
void console_close(void);

/* We were continued, after having been stopped as a job of the shell. */
void console_continued(void);

#endif

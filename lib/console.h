/*
 * console.h: standard input and output, as a client.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>

/* Sets up the console. Exits if standard input cannot be read and there can be no other client. */
void console_open(void);
void console_close(void);

/* No more input is read, since it has ended, or the client or its output has: lets go of standard
 * input, so that nobody writes to it in vain. At a terminal, says what happens next. Does nothing
 * if that has been done before. */
void console_end_input(void);

/* The console is over, and the server goes on: lets go of standard output, too, so that its reader
 * gets to the end. */
void console_end(void);

/* The stop begins: what was typed ahead at a prompt is dropped, and a batch that was not read at
 * all is read now. If standard error is a terminal and the stop takes longer than half a second,
 * console_stop_lasts(), which is called when deadlines are over, logs what it waits for. */
void console_stopping(void);
void console_stop_lasts(void);

/* Whether nobody can write to standard input any more, even if not all of it has been read: while a
 * client is held back, its input is not read. */
bool console_has_ended(void);

/* The shell has continued us (SIGCONT). */
void console_continued(void);

#endif

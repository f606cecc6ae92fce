/*
 * reader.h: reads a client's input, and handles its end and the loss of the client.
 */
#ifndef READER_H
#define READER_H

#include "call.h"

/* Reads once. If the console is a terminal and we are in the background, this stops us as the shell
 * expects, see shell_stop(). */
void client_read(struct client *);

/* The other end of a connection is closed. The commands that it sent before are still run, as far
 * as that is possible without waiting; their replies are dropped. */
void client_gone(struct client *);

/* Whether the client gives names for --each, not commands; and what ends each of them. */
bool client_gives_names(const struct client *);
char client_separator(const struct client *);

/* Whether the last line of the input, which has no newline, is a command: the input has ended as it
 * should, and whoever gave it still listens. Half a line of somebody who died while writing it is
 * not one. */
bool client_last_line_counts(struct client *);

/* Ends all waits of a client that is gone. */
void client_give_up(struct client *);

/* A client's input or output failed: what and the errno say how. A connection is then gone. A
 * failure of the console is logged, and stops the server if there can be no other client. */
void client_failed(struct client *, const char *what, int error);

/* The client's output could not be written. If it is a terminal that was hung up, the console ends
 * without a word, and with it a server that has no other client. */
void client_output_failed(struct client *, int error);

/* Somebody stops the server: by a signal, or by closing the terminal. If its input is still open, a
 * batch that gives jobs counts as unfinished. */
void console_interrupt(bool at_once);

/* Stops us, as a job of the shell, by SIGTSTP or SIGTTIN. whom is as in kill(2). */
void shell_stop(int number, pid_t whom);

#endif

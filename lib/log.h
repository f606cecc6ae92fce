/*
 * log.h: the server's log, on standard error.
 *
 * A line that standard error does not take at once is dropped and counted.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Sets up standard error as a stream, see stream.h. Until then, log_line() may block. */
void log_open(void);
void log_close(void);

/* Sets a function that is called before a line is written to a terminal. It returns whether a
 * prompt is shown there, which the line then overwrites; the prompt's owner shows it again
 * later. */
void log_over_prompt(bool (*prompt_take)(void));

/* Writes "server: ", the message, with unprintable bytes as \xNN, and a newline. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* Returns how many lines were dropped. */
uint64_t log_dropped(void);

#endif

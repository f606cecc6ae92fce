/*
 * log.h: what the server says on standard error.
 *
 * A line that standard error does not take at once is dropped and counted.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Before that, standard error is written to as it is. */
void log_open(void);
void log_close(void);

/* Sets what is called before a line is written to a terminal. It returns whether a prompt is shown
 * there, over which the line is then written; the prompt's owner shows it again later. */
void log_over_prompt(bool (*prompt_take)(void));

/* Writes "server: ", the message and a newline. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* How many lines were dropped. */
uint64_t log_dropped(void);

#endif

/*
 * log.h: the server's log, on standard error.
 *
 * A line that standard error does not take at once is dropped and counted.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    STATUS_SIZE = 160, /* of a status line, with its final zero byte */
};

/* Sets up standard error as a stream, see stream.h. Until then, log_line() may block. */
void log_open(void);
void log_close(void);

/* Sets a function that is called before a line is written to a terminal. It returns whether a
 * prompt is shown there, which the line then overwrites; the prompt's owner shows it again
 * later. */
void log_over_prompt(bool (*prompt_take)(void));

/* Writes "server: ", the message, with unprintable bytes as \xNN, and a newline. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* Writes what a job or driver has written, as it is, in the place of a prompt that is shown. Like
 * write(2), but fails with EAGAIN instead of blocking. If it ends in the middle of a line, the next
 * line of the log begins a new one. */
ssize_t log_copy(const char *data, size_t size);

/* Something is about to be written to standard output: if that is a terminal, too, it begins a new
 * line, and the status line is taken away. */
void log_end_line(void);

/* Whether the last copy has ended in the middle of a line. */
bool log_is_mid_line(void);

/* The status line is the last one of the terminal; a line that is unfinished is ended before it.
 * All other output takes it away, and its owner shows it again. It is not shown if the terminal
 * takes no more. */
void log_status(const char *text);
bool log_status_is_shown(void);
void log_status_take(void); /* takes it away */

/* Shows a status line that stays. Returns false if the terminal takes no more now. */
bool log_status_end(const char *text);

/* Returns how many columns the terminal has. */
unsigned log_width(void);

/* Logs "3 tasks cancelled", or nothing if the count is 0. */
void log_count(uint64_t count, const char *what, const char *how);

/* Returns how many lines were dropped. */
uint64_t log_dropped(void);

#endif

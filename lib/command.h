/*
 * command.h: the commands that a client can give: a table, and a handler for each.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "job.h"
#include "request.h"
#include "text.h"

enum handling {
    COMMAND_TAKEN, /* done: a request answers it, or it needs no answer */
    COMMAND_HELD,  /* not yet: it stays in the input and is tried again later */
};

/* Makes the reply to the command help. */
void commands_open(void);

/* Runs a command line, which must not include its newline or carriage return. */
enum handling command_run(struct client *, const struct span *line);

/* Gives a new job to the driver that a word names, or to any; or answers with what became of it
 * already, or with an Error. Frees the job if it is not taken. It may be NULL: there is no memory. */
enum handling command_give_job(struct client *, const struct span *word, struct job *);

/* Answers a command with an Error, and counts it unless there is no memory and the command is held.
 * code is the kind of error, for programs. */
__attribute__((format(printf, 3, 4))) enum handling client_error(struct client *, const char *code,
                                                                 const char *format, ...);

#endif

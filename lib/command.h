/*
 * command.h: the commands that a client can give: a table of them, and a handler each.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "request.h"
#include "text.h"

enum handling {
    COMMAND_TAKEN, /* a request answers it, or it needs no answer */
    COMMAND_HELD,  /* not yet: it stays in the input and is looked at again later */
};

/* Makes the text of the command help. */
void commands_open(void);

/* Runs a command line, without its newline or carriage return. */
enum handling command_run(struct client *, const struct span *line);

/* Answers a command with an Error, which counts unless the command is held and looked at again.
 * code names the kind of error, for programs. */
__attribute__((format(printf, 3, 4))) enum handling client_error(struct client *, const char *code,
                                                                 const char *format, ...);

#endif

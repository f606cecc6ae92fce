/*
 * command.h: the commands that a client can give: a table, and a handler for each.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "handler.h"

/* Makes the reply to the command help. */
void commands_open(void);

/* Runs a command line, which must not include its newline or carriage return. */
enum handling command_run(struct client *, const struct span *line);

#endif

/*
 * handler.h: what the handlers of commands share.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include "fleet.h"
#include "question.h"

enum {
    ECHO_MAX = 64, /* of bad input in an Error, in bytes */
};

enum handling {
    COMMAND_TAKEN, /* done: a request answers it, or it needs no answer */
    COMMAND_HELD,  /* not yet: it stays in the input and is tried again later */
};

/* A word of the input, escaped and cut for an Error. */
struct echo {
    char text[4 * ECHO_MAX + 1];
};
struct echo echo_word(const struct span *word);

/* Answers with a text from request_text(), which the request then owns. */
enum handling client_answer_own(struct client *, char *text, size_t size);

/* Answers a command with an Error, and counts it unless there is no memory and the command is held.
 * code is the kind of error, for programs. */
__attribute__((format(printf, 3, 4))) enum handling client_error(struct client *, const char *code,
                                                                 const char *format, ...);

/* Returns the listed driver that a word names. If there is none, answers with an Error, sets
 * *handling, and returns NULL. */
struct driver *command_driver(struct client *, const struct span *word, enum handling *handling);

/* Does the same for a driver that will be asked something. If its queue is full, holds the client
 * back and returns NULL, too. */
struct driver *command_driver_to_ask(struct client *, const struct span *word,
                                     enum handling *handling);

/* Makes a request with one call. Returns the call, or NULL if there is no memory. */
struct call *command_call(struct client *, const struct question *);

/* Asks the driver that a word names, and sets *handling. Returns the call, or NULL if the driver is
 * not asked. The caller may still change the call, because its frame is made later in this turn. */
struct call *command_ask(struct client *, const struct span *word, const struct question *,
                         enum handling *handling);

#endif

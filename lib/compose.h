/*
 * compose.h: the lines that the client program sends: made of words, or with --here of other lines.
 */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "buffer.h"
#include "turn.h"

enum {
    COMPOSE_HERE_MAX = LINE_MAX_SIZE, /* the most that --here adds to a line, in bytes */
};

/* For --here: finds the working directory. Exits if a line cannot name it. */
void compose_open(void);

/* Appends a command's words, without a newline. They are joined by blanks; but if the job of a run
 * or submit is given as several words, these are quoted, so that it gets just these words. If it
 * is one word, that is a line for the shell. Exits if a word has a newline, or if the line is too
 * long. */
void compose_words(struct buffer *, char *const *words);

/* Appends the line and a newline. With --here a cd comes before the job of a run or submit. The
 * buffer has room for COMPOSE_HERE_MAX more bytes. */
void compose_line(struct buffer *, const struct span *line);

#endif

/*
 * reply.h: the lines of replies, from the outcomes of calls to the client's output.
 */
#ifndef REPLY_H
#define REPLY_H

#include "format.h"

#include <stdarg.h>

enum {
    /* The longest line of a reply: one that names two files in the directory for output, with each
     * byte escaped. */
    REPLY_SIZE = 4096,
};

/* Writes the replies that are next in order into the client's output, as far as there is room, see
 * client.output_full. Returns whether there were any. */
bool client_reply(struct client *);

/* Makes an Error of TEXT_SIZE and counts it. Returns its size. */
size_t error_line(const struct format *, char *line, const char *code, const char *format,
                  va_list args);

/* Makes the line of counters, of TEXT_SIZE. Returns its size. */
size_t stats_line(const struct format *, char *line);

#endif

/*
 * reply.h: writes the lines of replies: turns the outcomes of calls into a client's output.
 */
#ifndef REPLY_H
#define REPLY_H

#include "format.h"

#include <stdarg.h>

enum {
    /* In bytes: above the longest line of a reply without a command. It contains the paths of two
     * output files, with each byte escaped, or a reason. */
    REPLY_SIZE = 4096,
};

/* Writes the replies that are next in order into the client's output, as far as there is room; sets
 * client.output_full if there is too little. Returns whether it wrote or finished anything. */
bool client_reply(struct client *);

/* Writes an Error to line, which has TEXT_SIZE. Returns its size. The caller counts the error. */
size_t error_line(const struct format *, char *line, const char *code, const char *format,
                  va_list args);

/* Writes the line of counters to line, which has TEXT_SIZE. Returns its size. */
size_t stats_line(const struct format *, char *line);

#endif

/*
 * shell.h: words for sh(1).
 */
#ifndef SHELL_H
#define SHELL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SHELL_BYTE_MAX = 4, /* what a byte may become: a quotation mark becomes '\'' */
};

/* Writes a word so that sh reads just that word, in quotes where that is necessary. is_first: it
 * is the name of a command, which must not seem to be a keyword or an assignment. The word ends at
 * its zero byte, and may have any other bytes. out has room for SHELL_BYTE_MAX times its size, and
 * 2. Returns how much was written; there is no zero byte. */
size_t shell_quote(char *out, const char *word, bool is_first);

#endif

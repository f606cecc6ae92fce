/*
 * each.h: --each: names become jobs, by a template.
 */
#ifndef EACH_H
#define EACH_H

#include "job_commands.h"

enum {
    EACH_NAME_MAX = 4096, /* bytes of a name: no path is longer */
};

/*
 * Makes the words of the job for that name, in which there is no zero byte. The template is an
 * array that ends with NULL. {} becomes the name in every word, as often as it is there, also in
 * the first one; if it is nowhere, the name is one more word. Each word has a zero byte at its
 * end. Returns the size of all, or 0 if that is more than room.
 */
size_t each_words(char *const *words, const struct span *name, char *out, size_t room);

/* Gives the job for that name, which must not include what ends it; or answers with an Error. */
enum handling each_run(struct client *, const struct span *name);

/* Answers a name that is too long, and begins so, with an Error. */
enum handling each_refuse(struct client *, const struct span *beginning);

#endif

/*
 * near.h: which word somebody has mistyped.
 *
 * A mistake is a character too many, one too few, another one, or two that changed places.
 */
#ifndef NEAR_H
#define NEAR_H

#include "text.h"

struct near {
    struct span typed;
    const char *word; /* the nearest one so far, NULL if none is near */
    unsigned mistakes;
};

/* Tries one of the words that were possible. Of words that are equally near, the first one counts.
 * If it is just the word that was typed, it does not count: then something else was wrong. */
void near_try(struct near *, const char *word);

#endif

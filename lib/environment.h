/*
 * environment.h: the environment of drivers, and so of their jobs.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* What the command line says about it. */
struct environment_choice {
    bool clean;          /* --clean-env: only a few variables are inherited */
    const char **wanted; /* the values of --env, in order, each a valid one */
    size_t wanted_count;
};

/* Whether a value of --env is valid: NAME, NAME=VALUE or NAME*. */
bool environment_want_valid(const char *want);

/* Makes the environment from our own, which is not changed. Each name is in it once, and the names
 * are sorted. TAXI_JOB and TAXI_SLOT are empty: a driver sets them for each job. Returns NULL
 * without memory; the caller frees the array, but not the strings, which belong to own and to the
 * choice. */
char **environment_make(char *const *own, const struct environment_choice *choice);

#endif

/*
 * environment.h: the environment of drivers, and so of their jobs.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* The variables that each job has of its own. A driver's environment has room for them, and the
 * driver sets them for each job. */
enum job_variable {
    VARIABLE_JOB,
    VARIABLE_SLOT,
    JOB_VARIABLES,
};

enum {
    JOB_VARIABLE_SIZE = 48, /* as NAME=VALUE, in bytes: the longest name, and any 64 bits */
};

static const char *const job_variables[] = {"TAXI_JOB=", "TAXI_SLOT="};

static_assert(sizeof(job_variables) / sizeof(job_variables[0]) == JOB_VARIABLES,
              "each variable has a name");

/* What the command line says about it. */
struct environment_choice {
    bool clean;          /* --clean-env: only a few variables are inherited */
    const char **wanted; /* the values of --env, in order, each a valid one */
    size_t wanted_count;
};

/* Whether a value of --env is valid: NAME, NAME=VALUE or NAME*. */
bool environment_want_valid(const char *want);

/* Makes the environment from our own, which is not changed. Each name is in it once, and the names
 * are sorted. The variables of job_variables are empty. Returns NULL without memory; the caller
 * frees the array, but not the strings, which belong to own and to the choice. */
char **environment_make(char *const *own, const struct environment_choice *choice);

#endif

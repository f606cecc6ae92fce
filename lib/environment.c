#include "environment.h"

#include <stdlib.h>
#include <string.h>

/* A variable that may be in the environment. If several have the same name, the one with the
 * highest want is in it; if several have that, the first of these. */
struct variable {
    char *text; /* "NAME=value" */
    size_t name_size;
    size_t want; /* which --env it is there for, counted from 1; 0: it is inherited */
    size_t position;
};

bool
environment_want_valid(const char *want)
{
    const char *star = strchr(want, '*');

    if (strchr(want, '=') != NULL)
        return want[0] != '=';
    return want[0] != '\0' && (star == NULL || star[1] == '\0');
}

static bool
begins_with_any(const char *text, const char *const *beginnings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/*
 * Whether drivers inherit a variable without any --env. Those of job_variables are left out: they
 * are there if we are a job ourselves. Three more groups are left out, because a service manager
 * means them for the server alone, and they do harm elsewhere: with NOTIFY_SOCKET a job could
 * report that the server is ready or stops; with LISTEN_* it would take descriptors that it does
 * not have for sockets; with WATCHDOG_* it would believe that it is watched. (LISTEN_PID and
 * WATCHDOG_PID name the server, but not every program checks them.) What else systemd sets, such as
 * INVOCATION_ID, JOURNAL_STREAM and MAINPID, is information only, and just as true for a job.
 */
static bool
variable_inherited(const char *text, bool clean)
{
    static const char *const managers[] = {"LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_"};
    static const char *const kept[] = {"HOME=",  "LANG=", "LANGUAGE=", "LC_", "LOGNAME=", "PATH=",
                                       "SHELL=", "TERM=", "TMPDIR=",   "TZ=", "USER="};

    if (begins_with_any(text, job_variables, JOB_VARIABLES))
        return false;
    if (clean)
        return begins_with_any(text, kept, sizeof(kept) / sizeof(kept[0]));
    return !begins_with_any(text, managers, sizeof(managers) / sizeof(managers[0]));
}

/* Whether a --env NAME or --env NAME* passes the variable. */
static bool
want_passes(const char *want, const char *text, size_t name_size)
{
    size_t size = strlen(want);

    if (strchr(want, '=') != NULL)
        return false; /* it sets a variable of its own */
    if (want[size - 1] == '*')
        return strncmp(text, want, size - 1) == 0;
    return size == name_size && memcmp(text, want, size) == 0;
}

/* Returns the last --env that passes the variable, counted from 1; 0 if there is none. */
static size_t
variable_want(const struct environment_choice *choice, const char *text, size_t name_size)
{
    size_t want = choice->wanted_count;

    while (want > 0 && !want_passes(choice->wanted[want - 1], text, name_size))
        want--;
    return want;
}

/* Fills in the candidates, in no special order. Returns how many there are. */
static size_t
variables_collect(struct variable *variables, char *const *own,
                  const struct environment_choice *choice)
{
    size_t count = 0;

    for (size_t i = 0; own[i] != NULL; i++) {
        const char *equals = strchr(own[i], '=');
        if (equals == NULL)
            continue; /* getenv(3) does not find it either */
        size_t name_size = (size_t)(equals - own[i]);
        size_t want = variable_want(choice, own[i], name_size);
        if (want > 0 || variable_inherited(own[i], choice->clean))
            variables[count++] = (struct variable){own[i], name_size, want, i};
    }
    for (size_t i = 0; i < choice->wanted_count; i++) {
        /* The cast is safe, because execve(2) does not change the strings. */
        char *text = (char *)choice->wanted[i], *equals = strchr(text, '=');
        if (equals != NULL)
            variables[count++] = (struct variable){text, (size_t)(equals - text), i + 1, 0};
    }
    for (size_t i = 0; i < JOB_VARIABLES; i++)
        variables[count++] = (struct variable){
            (char *)job_variables[i], strlen(job_variables[i]) - 1, choice->wanted_count + 1, 0};
    return count;
}

static int
size_compare(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int
names_compare(const struct variable *a, const struct variable *b)
{
    size_t both = a->name_size < b->name_size ? a->name_size : b->name_size;
    int order = memcmp(a->text, b->text, both);

    return order != 0 ? order : size_compare(a->name_size, b->name_size);
}

/* For qsort(3): by name, and of each name the one that counts comes first. */
static int
variables_compare(const void *first, const void *second)
{
    const struct variable *a = first, *b = second;
    int order = names_compare(a, b);

    if (order == 0)
        order = size_compare(b->want, a->want);
    return order != 0 ? order : size_compare(a->position, b->position);
}

char **
environment_make(char *const *own, const struct environment_choice *choice)
{
    size_t room = choice->wanted_count + JOB_VARIABLES + 1, passed = 0;

    for (size_t i = 0; own[i] != NULL; i++)
        room++;
    char **environment = calloc(room, sizeof(*environment));
    struct variable *variables = calloc(room, sizeof(*variables));
    if (environment == NULL || variables == NULL) {
        free(environment);
        free(variables);
        return NULL;
    }
    size_t count = variables_collect(variables, own, choice);
    qsort(variables, count, sizeof(*variables), variables_compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || names_compare(&variables[i - 1], &variables[i]) != 0)
            environment[passed++] = variables[i].text;
    free(variables);
    return environment;
}

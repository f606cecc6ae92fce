/*
 * check.h: what the unit tests check with. A check that fails is shown with its place, and the test
 * goes on. main() ends with checks_failed(), which is the exit status.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

#define CHECK(condition)          check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_NUMBER(got, want)   check_number((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__)
#define CHECK_STRING(got, want)   check_bytes((got), strlen(got), (want), __FILE__, __LINE__)
#define CHECK_BYTES(got, n, want) check_bytes((got), (n), (want), __FILE__, __LINE__)

static inline void
check_true(bool holds, const char *condition, const char *file, int line)
{
    if (holds)
        return;
    check_failures++;
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
}

static inline void
check_number(uint64_t got, uint64_t wanted, const char *file, int line)
{
    if (got == wanted)
        return;
    check_failures++;
    fprintf(stderr, "%s:%d: %" PRIu64 " instead of %" PRIu64 "\n", file, line, got, wanted);
}

static inline void
check_bytes(const char *got, size_t size, const char *wanted, const char *file, int line)
{
    if (size == strlen(wanted) && memcmp(got, wanted, size) == 0)
        return;
    check_failures++;
    fprintf(stderr, "%s:%d: '%.*s' instead of '%s'\n", file, line, (int)size, got, wanted);
}

static inline int
checks_failed(void)
{
    return check_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

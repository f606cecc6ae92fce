/*
 * bench.h: what the programs of the benchmark share. Each program prints its results as one line of
 * numbers. If it fails, it says why on standard error and exits with status 1; what it has printed
 * until then does not count.
 */
#ifndef BENCH_H
#define BENCH_H

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

enum {
    BLOCK_SIZE = 64 << 10, /* as much as a pipe holds */
};

static inline int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Returns how many per second, if there were count since start_ns on CLOCK_MONOTONIC. */
static inline double
rate_since(long count, int64_t start_ns)
{
    return (double)count * 1e9 / (double)(clock_ns(CLOCK_MONOTONIC) - start_ns);
}

/* Returns the number in an argument. Exits unless it is from 1 to max. */
static inline long
argument(const char *text, long max)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > max)
        errx(2, "bad number '%s' (1 to %ld)", text, max);
    return value;
}

/* Returns the next of a sequence of durations from 1 to 50 ms, the same in each run and with each
 * libc. */
static inline int64_t
duration_next_ms(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return 1 + (*seed >> 16) % 50;
}

static int
figures_compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Returns the median. Sorts the figures. */
static inline int64_t
median(int64_t *figures, size_t count)
{
    qsort(figures, count, sizeof(*figures), figures_compare);
    return figures[count / 2];
}

/* Reads a block of standard input, and calls the function for each whole line, as a
 * string without newline. Returns false at the end of the input. */
static inline bool
lines_read(void (*command)(const char *line))
{
    static char block[BLOCK_SIZE];
    static size_t rest; /* bytes of a line without its end */

    ssize_t size = read(STDIN_FILENO, block + rest, sizeof(block) - rest);
    if (size <= 0)
        return false;
    char *at = block, *end = block + rest + size, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        *newline = '\0';
        command(at);
        at = newline + 1;
    }
    rest = (size_t)(end - at);
    memmove(block, at, rest);
    return true;
}

#endif

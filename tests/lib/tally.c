/*
 * tally COUNT SECONDS: reads COUNT lines, and not a byte more, from standard input. Prints how
 * often each line came, such as "3 a line", in the order in which they first came. Fails if nothing
 * comes for SECONDS, or if the input ends early.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_SIZE = 8192,
    KINDS_MAX = 4096, /* different lines */
};

struct kind {
    char *line;
    long times;
};

static struct kind kinds[KINDS_MAX];
static size_t kind_count;
static size_t last; /* index of the last line's kind: the next line is often the same */

static void
count_line(const char *line)
{
    size_t i = last;

    if (kind_count == 0 || strcmp(kinds[i].line, line) != 0)
        for (i = 0; i < kind_count && strcmp(kinds[i].line, line) != 0; i++)
            ;
    if (i == kind_count) {
        if (kind_count == KINDS_MAX)
            errx(1, "too many different lines");
        kinds[kind_count++].line = strdup(line);
    }
    kinds[i].times++;
    last = i;
}

/* Reads at most size bytes. Each line has at least one byte, so if size is the number of lines that
 * are still wanted, no byte after these lines is read. Returns 0 if nothing comes. */
static size_t
read_some(char *data, size_t size, int timeout_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    if (poll(&input, 1, timeout_ms) <= 0)
        return 0;
    ssize_t got = read(STDIN_FILENO, data, size);
    return got < 0 ? 0 : (size_t)got;
}

int
main(int count, char **words)
{
    static char line[LINE_SIZE], data[65536];
    size_t length = 0;

    if (count != 3) {
        fprintf(stderr, "usage: tally COUNT SECONDS\n");
        return 2;
    }
    long wanted = strtol(words[1], NULL, 10), left = wanted;
    int timeout_ms = (int)strtol(words[2], NULL, 10) * 1000;
    while (left > 0) {
        size_t most = (size_t)left < sizeof(data) ? (size_t)left : sizeof(data);
        size_t got = read_some(data, most, timeout_ms);
        if (got == 0)
            errx(1, "only %ld of %ld lines came", wanted - left, wanted);
        for (size_t i = 0; i < got; i++) {
            if (data[i] != '\n') {
                line[length++] = data[i];
                if (length == sizeof(line))
                    errx(1, "line too long");
                continue;
            }
            line[length] = '\0';
            count_line(line);
            length = 0;
            left--;
        }
    }
    for (size_t i = 0; i < kind_count; i++)
        printf("%ld %s\n", kinds[i].times, kinds[i].line);
    return 0;
}

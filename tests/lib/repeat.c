/*
 * repeat COUNT LINE...: writes the lines to standard output, COUNT times. It waits for nothing but
 * room in its output, so when it sleeps, the output is full.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 64 * 1024, /* as much as a pipe holds */
};

static void
write_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            err(1, "write");
        data += written;
        size -= (size_t)written;
    }
}

int
main(int count, char **words)
{
    static char block[2 * BLOCK_SIZE];
    size_t size = 0;

    if (count < 3) {
        fprintf(stderr, "usage: repeat COUNT LINE...\n");
        return 2;
    }
    for (long left = strtol(words[1], NULL, 10); left > 0; left--)
        for (int i = 2; i < count; i++) {
            size_t length = strlen(words[i]);
            if (length >= BLOCK_SIZE)
                errx(2, "line too long");
            memcpy(block + size, words[i], length);
            size += length;
            block[size++] = '\n';
            if (size >= BLOCK_SIZE) {
                write_all(block, size);
                size = 0;
            }
        }
    write_all(block, size);
    return 0;
}

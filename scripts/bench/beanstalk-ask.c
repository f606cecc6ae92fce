/*
 * beanstalk-ask PATH COUNT: how often per second beanstalkd, which listens on a UNIX socket,
 * answers "stats-tube", if it is asked over one connection, one question at a time.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Asks once. The answer is a line with the size of the text, then the text, then an empty line. */
static void
ask(int fd)
{
    static const char command[] = "stats-tube default\r\n";
    char answer[4096];
    size_t size = 0, wanted = sizeof(answer);

    if (write(fd, command, sizeof(command) - 1) < 0)
        err(1, "write");
    while (size < wanted) {
        ssize_t n = read(fd, answer + size, sizeof(answer) - 1 - size);
        if (n <= 0)
            errx(1, "no answer");
        size += (size_t)n;
        answer[size] = '\0';
        const char *newline = strchr(answer, '\n');
        if (strncmp(answer, "OK ", 3) != 0 && newline != NULL)
            errx(1, "unexpected answer");
        if (newline != NULL)
            wanted = (size_t)(newline + 1 - answer) + strtoul(answer + 3, NULL, 10) + 2;
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
        errx(2, "usage: beanstalk-ask PATH COUNT");
    strcpy(address.sun_path, argv[1]);
    long count = argument(argv[2], 100000000);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(1, "%s", argv[1]);
    for (long i = 0; i < count / 10; i++)
        ask(fd);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++)
        ask(fd);
    printf("%.0f\n", rate_since(count, start_ns));
    close(fd);
    return 0;
}

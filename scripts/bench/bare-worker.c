/*
 * bare-worker: the program that other supervisors run in the benchmark. Writes its pid to the FIFO
 * $WORKERS, which it keeps open, and pauses.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(void)
{
    const char *path = getenv("WORKERS");
    char line[16];
    int fd = path != NULL ? open(path, O_WRONLY) : -1;
    int size = snprintf(line, sizeof(line), "%d\n", getpid());

    if (fd < 0 || write(fd, line, (size_t)size) != size)
        return 1;
    return pause();
}

#include "driver_log.h"

#include "text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_LINE_MAX = 256, /* below PIPE_BUF, so that a line is written whole or not at all, pipe(7) */
};

/* Does not set O_NONBLOCK on standard error, because the server and its caller share that. A pipe
 * or terminal is opened anew instead, proc(5), /proc/[pid]/fd: that is the same file, whatever has
 * become of its path. */
static void
log_write(const char *line, size_t size)
{
    struct stat status;
    ssize_t written = -1;

    if (fstat(STDERR_FILENO, &status) < 0)
        return;
    if (S_ISSOCK(status.st_mode)) {
        written = send(STDERR_FILENO, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            written = write(fd, line, size);
            close(fd);
        }
    } else {
        written = write(STDERR_FILENO, line, size);
    }
    (void)written;
}

void
driver_log(const char *what, int error)
{
    char line[LOG_LINE_MAX];
    size_t size = text_append(line, 0, sizeof(line), "driver[");

    size = number_append(line, size, sizeof(line), (uint64_t)getpid());
    size = text_append(line, size, sizeof(line), "]: ");
    size = text_append(line, size, sizeof(line), what);
    if (error != 0) {
        size = text_append(line, size, sizeof(line), ": ");
        size = text_append(line, size, sizeof(line), strerror(error));
    }
    line[size++] = '\n';
    log_write(line, size);
}

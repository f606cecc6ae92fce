#include "notify.h"

#include "log.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");

    if (path == NULL)
        return;
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path)) {
        log_line("cannot notify %s: it is no path of a socket", path);
        return;
    }
    /* Whoever can replace this socket learns our state, and nothing else. We do not wait for him. */
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract socket, unix(7) */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
        log_line("cannot notify %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

void
notify_ready_fd(int fd)
{
    struct stream ready;

    if (fd < 0)
        return;
    if (!stream_open(&ready, fd, O_WRONLY) || stream_write(&ready, "\n", 1) != 1)
        log_line("cannot write to descriptor %d: %s", fd, strerror(errno));
    stream_close(&ready);
    close(fd);
}

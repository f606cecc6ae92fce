#include "activation.h"

#include "text.h"

#include <err.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    STATUS_USAGE = 2, /* another start would not help */
};

static bool
socket_option_is(int option, int wanted)
{
    int value;
    socklen_t size = sizeof(value);

    return getsockopt(ACTIVATION_FD, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

/* Returns the number in the variable, or 0 if there is none. */
static uint64_t
variable_number(const char *name)
{
    const char *value = getenv(name);
    uint64_t number = 0;

    if (value != NULL)
        digits_parse(value, strlen(value), INT_MAX, &number);
    return number;
}

/* Returns the socket's path, or its abstract name with @ in place of the zero byte, unix(7). */
static const char *
socket_path(void)
{
    static char path[sizeof(struct sockaddr_un) + 1];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    const size_t head = offsetof(struct sockaddr_un, sun_path);

    if (getsockname(ACTIVATION_FD, (struct sockaddr *)&address, &size) < 0 || size <= head)
        return "(a socket without a name)";
    size = size < sizeof(address) ? size - (socklen_t)head : (socklen_t)sizeof(address.sun_path);
    memcpy(path, address.sun_path, size);
    path[size] = '\0';
    if (path[0] == '\0')
        path[0] = '@';
    return path;
}

/* The variables count only if LISTEN_PID is our pid. Otherwise they were meant for a process that
 * has passed them on to us. */
const char *
activation_socket(void)
{
    const char *count = getenv("LISTEN_FDS");

    if (count == NULL || variable_number("LISTEN_PID") != (uint64_t)getpid())
        return NULL;
    if (variable_number("LISTEN_FDS") != 1)
        errx(STATUS_USAGE, "the service manager gives LISTEN_FDS=%s, and not exactly one socket",
             count);
    if (!socket_option_is(SO_DOMAIN, AF_UNIX) || !socket_option_is(SO_TYPE, SOCK_STREAM) ||
        !socket_option_is(SO_ACCEPTCONN, 1))
        errx(STATUS_USAGE,
             "descriptor %d, from the service manager, is no UNIX stream socket that listens",
             ACTIVATION_FD);
    return socket_path();
}

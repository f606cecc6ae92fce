#include "peer.h"

#include "text.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    OVERFLOW_UID = 65534, /* unless the machine has another one */
};

/* Reads the first size - 1 bytes of a file of /proc. Returns false if it cannot be read. */
static bool
proc_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Only root can write this file, proc(5). */
static uid_t
overflow_uid(void)
{
    char text[DIGITS_MAX];
    uint64_t uid = OVERFLOW_UID;

    if (proc_read("/proc/sys/kernel/overflowuid", text, sizeof(text)))
        digits_parse(text, strcspn(text, "\n"), UINT32_MAX, &uid);
    return (uid_t)uid;
}

/* Whether every user id exists in our user namespace, as it does outside of all containers. Then
 * the overflow uid is a user like any other. */
static bool
users_all_exist(void)
{
    char text[64]; /* more than the only line then has */
    unsigned first, outside, count;

    return proc_read("/proc/self/uid_map", text, sizeof(text)) &&
           sscanf(text, "%u %u %u", &first, &outside, &count) == 3 && first == 0 &&
           count == UINT32_MAX;
}

/* kill(2) compares the users themselves, and not the ids that they have in our namespace: we may
 * signal a process of our own user and, as root, a process of any user of our namespace. This says
 * nothing about a process that has ended, or that is in another pid namespace. */
bool
peer_is_user(const struct ucred *peer)
{
    return peer->uid != overflow_uid() || users_all_exist() ||
           (peer->pid > 0 && kill(peer->pid, 0) == 0);
}

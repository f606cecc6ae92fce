#include "peer.h"

#include "text.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum {
    OVERFLOW_UID = 65534, /* unless the machine has another one */
};

/* Only root can write this file, proc(5). */
static uid_t
overflow_uid(void)
{
    char digits[DIGITS_MAX];
    uint64_t uid = OVERFLOW_UID;
    int fd = open("/proc/sys/kernel/overflowuid", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return OVERFLOW_UID;
    ssize_t size = read(fd, digits, sizeof(digits));
    close(fd);
    if (size > 1)
        digits_parse(digits, (size_t)size - 1, UINT32_MAX, &uid); /* without its newline */
    return (uid_t)uid;
}

/* Whether we may signal a process depends on who its user and we are, and not on the ids that users
 * have in our namespace, kill(2): our own user's, and if we are root, any of our namespace's. */
bool
peer_is_user(const struct ucred *peer)
{
    return peer->uid != overflow_uid() || (peer->pid > 0 && kill(peer->pid, 0) == 0);
}

/*
 * pass [-l] PATH: connects to the socket at PATH and sends a descriptor there, SCM_RIGHTS; or with -l
 * listens there, prints "listens", and sends it to the first who connects. Prints what came of that,
 * "sent" or the error. Exits with status 2 if this kernel cannot refuse descriptors.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static const char *
descriptor_send(int fd)
{
    union {
        struct cmsghdr aligned;
        char data[CMSG_SPACE(sizeof(int))];
    } control = {.data = {0}};
    struct iovec text = {.iov_base = "\n", .iov_len = 1};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.data,
                             .msg_controllen = sizeof(control.data)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &(int){STDIN_FILENO}, sizeof(int));
    return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? strerror(errno) : "sent";
}

int
main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), value;
    socklen_t size = sizeof(value);
    int listens = argc == 3 && strcmp(argv[1], "-l") == 0;

    if (argc != 2 + listens)
        errx(1, "usage: pass [-l] PATH");
    if (getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &value, &size) < 0)
        errx(2, "this kernel cannot refuse descriptors");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1 + listens]);
    if (!listens && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(1, "connect");
    if (listens) {
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
            err(1, "listen");
        puts("listens");
        fflush(stdout);
        fd = accept(fd, NULL, NULL);
    }
    puts(descriptor_send(fd));
    return 0;
}

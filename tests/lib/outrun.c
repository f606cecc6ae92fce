/*
 * outrun PID SOCKET FIRST LINE: a client of the server PID that does not listen. It sends the line
 * FIRST and then the other one without end, faster than the server can read: as a debugger it stops
 * the server at each system call, ptrace(2), and fills the socket before the server goes on. So no
 * read of it finds the socket empty, however busy the machine is. When the server has closed the
 * connection, outrun lets it go and exits. Exits with status 1 if the server has not done so after
 * CALLS_MAX system calls, and with 2 if it cannot attach.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CALLS_MAX = 1000, /* a good server makes about a hundred */
    LINES = 1000,     /* of one send */
    SECONDS = 60,     /* in case the server makes no system call at all: SIGALRM ends us */
};

static char *lines;
static size_t lines_size;

/* The client, whose sending has begun. */
static int
client_new(const char *path, const char *first)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        errx(3, "no socket");
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(3, "connect");
    shutdown(fd, SHUT_RD);
    if (dprintf(fd, "%s\n", first) < 0)
        err(3, "write");
    return fd;
}

/* Sends as much as the socket takes. Returns false if the other end is closed. */
static bool
client_fill(int fd)
{
    static size_t sent; /* of the lines */
    ssize_t n;

    while ((n = send(fd, lines + sent, lines_size - sent, MSG_DONTWAIT | MSG_NOSIGNAL)) >= 0)
        sent = (sent + (size_t)n) % lines_size;
    return errno == EAGAIN;
}

static void
wait_for_stop(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        errx(3, "the server has ended");
}

int
main(int argc, char **argv)
{
    int calls = 0;

    if (argc != 5)
        errx(3, "usage: outrun PID SOCKET FIRST LINE");
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    size_t size = strlen(argv[4]) + 1;
    lines_size = LINES * size;
    lines = malloc(lines_size + 1);
    if (lines == NULL)
        err(3, "no memory");
    for (size_t at = 0; at < lines_size; at += size)
        snprintf(lines + at, size + 1, "%s\n", argv[4]);

    alarm(SECONDS);
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0 ||
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
        err(2, "cannot attach to %s", argv[1]);
    wait_for_stop(pid);
    int fd = client_new(argv[2], argv[3]);
    bool open = client_fill(fd);
    while (open && calls < CALLS_MAX) {
        /* A call stops the server twice: before it and after it. */
        for (int i = 0; i < 2; i++) {
            ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
            wait_for_stop(pid);
            open = client_fill(fd);
        }
        calls++;
    }
    close(fd);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    if (open)
        errx(1, "the server still reads after %d system calls", calls);
    return 0;
}

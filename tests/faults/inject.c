/*
 * Faults that strace(1) cannot inject. This file is linked into a server or driver that is compiled
 * to call faulty_read() instead of read(), and so on. The environment says which fault to inject:
 *
 *     FAULT=CALL:KIND:K    at the K-th CALL that could have it; K+: also at each later one
 *
 *     read, write, send, recv : short    moves only one byte
 *     write : full                       moves only one byte; the descriptor is full from then on (ENOSPC)
 *     write : begun, torn                moves only one byte, or all but one, and kills the program
 *     read : EAGAIN                      a timer's event has gone
 *     epoll_ctl : ADD, MOD, DEL          fails with ENOMEM, at that operation
 *     close : EIO                        fails, but has closed the descriptor
 *     malloc, calloc : ENOMEM            fails
 *     prctl, setpgid, dup2, setrlimit : EPERM    fails
 *     readlink : EACCES, ENOMEM          fails: the search in /proc for our children begins with it
 *     syscall : ENOMEM                   fails, if it is close_range(2) with RANGE_UNSHARE
 *     execve, execv, execvp : delayed            waits for a moment before the exec
 *     execve, execv, execvp : killed, termed     the same, after killing or terminating its parent
 *     execvp : ENOEXEC                   fails, as with a libc that runs no script without #!
 *
 * Each injected fault is a line in the file "trace" in the working directory, as with strace.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    RANGE_UNSHARE = 2, /* not every libc defines it */
};

/* Whether FAULT asks for this fault in this call. Counts the calls that could have the fault. */
static bool
faulty(const char *call, const char *kind)
{
    static const char said[] = "(INJECTED)\n";
    static long seen;
    const char *fault = getenv("FAULT");
    size_t length = strlen(call), kind_length = strlen(kind);
    char *end;

    if (fault == NULL || strncmp(fault, call, length) != 0 || fault[length] != ':')
        return false;
    fault += length + 1;
    if (strncmp(fault, kind, kind_length) != 0 || fault[kind_length] != ':')
        return false;
    long wanted = strtol(fault + kind_length + 1, &end, 10);
    seen++;
    if (seen != wanted && (*end != '+' || seen < wanted))
        return false;
    int fd = open("trace", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (write(fd, said, sizeof(said) - 1) < 0)
        abort();
    close(fd);
    return true;
}

/* Returns true, with that errno, if FAULT asks for this failure. */
static bool
fails(const char *call, const char *kind, int error)
{
    if (!faulty(call, kind))
        return false;
    errno = error;
    return true;
}

/* Reads of a signalfd or a timerfd are never short, because the kernel never does that. */
ssize_t
faulty_read(int fd, void *data, size_t size)
{
    bool timer = size == sizeof(uint64_t), stream = size > sizeof(struct signalfd_siginfo);

    if (timer && fails("read", "EAGAIN", EAGAIN))
        return -1;
    return read(fd, data, stream && faulty("read", "short") ? 1 : size);
}

ssize_t
faulty_write(int fd, const void *data, size_t size)
{
    static int full = -1;
    bool begun = size > 1 && faulty("write", "begun");
    bool torn = size > 1 && faulty("write", "torn");

    if (begun || torn) {
        if (write(fd, data, begun ? 1 : size - 1) < 0)
            abort();
        raise(SIGKILL);
    }
    if (fd == full) {
        errno = ENOSPC;
        return -1;
    }
    if (size > 1 && faulty("write", "full"))
        full = fd;
    return write(fd, data, fd == full || (size > 1 && faulty("write", "short")) ? 1 : size);
}

ssize_t
faulty_send(int fd, const void *data, size_t size, int flags)
{
    return send(fd, data, size > 1 && faulty("send", "short") ? 1 : size, flags);
}

ssize_t
faulty_recv(int fd, void *data, size_t size, int flags)
{
    return recv(fd, data, faulty("recv", "short") ? 1 : size, flags);
}

int
faulty_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if ((operation == EPOLL_CTL_ADD && fails("epoll_ctl", "ADD", ENOMEM)) ||
        (operation == EPOLL_CTL_MOD && fails("epoll_ctl", "MOD", ENOMEM)) ||
        (operation == EPOLL_CTL_DEL && fails("epoll_ctl", "DEL", ENOMEM)))
        return -1;
    return epoll_ctl(set, operation, fd, event);
}

int
faulty_close(int fd)
{
    int result = close(fd);

    return fails("close", "EIO", EIO) ? -1 : result;
}

void *
faulty_malloc(size_t size)
{
    return fails("malloc", "ENOMEM", ENOMEM) ? NULL : malloc(size);
}

void *
faulty_calloc(size_t count, size_t size)
{
    return fails("calloc", "ENOMEM", ENOMEM) ? NULL : calloc(count, size);
}

int
faulty_prctl(int option, ...)
{
    unsigned long argument;
    va_list args;

    if (fails("prctl", "EPERM", EPERM))
        return -1;
    va_start(args, option);
    argument = va_arg(args, unsigned long);
    va_end(args);
    return prctl(option, argument, 0, 0, 0);
}

ssize_t
faulty_readlink(const char *path, char *link, size_t size)
{
    if (fails("readlink", "EACCES", EACCES) || fails("readlink", "ENOMEM", ENOMEM))
        return -1;
    return readlink(path, link, size);
}

int
faulty_setpgid(pid_t pid, pid_t group)
{
    return fails("setpgid", "EPERM", EPERM) ? -1 : setpgid(pid, group);
}

int
faulty_dup2(int from, int to)
{
    return fails("dup2", "EPERM", EPERM) ? -1 : dup2(from, to);
}

/* Uses the system call, because the type of the resource differs between libcs. */
int
faulty_setrlimit(int resource, const struct rlimit *limit)
{
    return fails("setrlimit", "EPERM", EPERM) ? -1 : (int)syscall(SYS_setrlimit, resource, limit);
}

long
faulty_syscall(long number, long a, long b, long c, long d)
{
    bool unshares = number == SYS_close_range && (unsigned)c == RANGE_UNSHARE;

    return unshares && fails("syscall", "ENOMEM", ENOMEM) ? -1 : syscall(number, a, b, c, d);
}

/* What may happen in a child before its exec. */
static void
exec_held_up(const char *call)
{
    struct timespec moment = {.tv_nsec = 300000000};
    bool killed = faulty(call, "killed");
    bool termed = faulty(call, "termed");

    if (killed || termed)
        kill(getppid(), killed ? SIGKILL : SIGTERM);
    if (killed || termed || faulty(call, "delayed"))
        nanosleep(&moment, NULL);
}

int
faulty_execve(const char *path, char *const *argv, char *const *envp)
{
    exec_held_up("execve");
    return execve(path, argv, envp);
}

int
faulty_execv(const char *path, char *const *argv)
{
    exec_held_up("execv");
    return execv(path, argv);
}

int
faulty_execvp(const char *file, char *const *argv)
{
    exec_held_up("execvp");
    return fails("execvp", "ENOEXEC", ENOEXEC) ? -1 : execvp(file, argv);
}

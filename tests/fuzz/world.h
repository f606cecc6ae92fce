/*
 * The server as one unit, every static in reach, in a world of its own. What reaches outside of the
 * process is replaced: clone() makes no process but keeps the driver's end of the socketpair,
 * wait4() reports the deaths that the input asks for, kill() notes, there are no other children,
 * allocations fail when they are told to, and the clock and the timer are the input's to advance.
 */
#ifndef WORLD_H
#define WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fuzz_clone(int (*run)(void *), void *stack, int flags, void *argument, ...);
static pid_t fuzz_wait4(pid_t pid, int *status, int options, struct rusage *usage);
static int fuzz_kill(pid_t pid, int number);
static int fuzz_clock_gettime(clockid_t clock, struct timespec *now);

static unsigned fuzz_failures; /* allocations that will fail */

static void *
fuzz_malloc(size_t size)
{
    if (fuzz_failures == 0)
        return malloc(size);
    fuzz_failures--;
    errno = ENOMEM;
    return NULL;
}

static void *
fuzz_calloc(size_t count, size_t size)
{
    if (fuzz_failures == 0)
        return calloc(count, size);
    fuzz_failures--;
    errno = ENOMEM;
    return NULL;
}

/* The children that the kernel lists would be libFuzzer's own: there are none. */
static int
fuzz_open_file(const char *path, int flags, ...)
{
    return open(strcmp(path, "/proc/thread-self/children") == 0 ? "/dev/null" : path, flags, 0600);
}

#define main                                 server_main
#define malloc                               fuzz_malloc
#define calloc                               fuzz_calloc
#define open                                 fuzz_open_file
#define clone                                fuzz_clone
#define wait4                                fuzz_wait4
#define kill                                 fuzz_kill
#define clock_gettime                        fuzz_clock_gettime
#define timerfd_create(clock, flags)         eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
#define timerfd_settime(fd, flags, at, none) ((void)(at), 0)

#include "../../build/release/server.c"

enum {
    FUZZ_DRIVERS = 16,
    FIRST_PID = 1000,
};

static struct fuzz_driver {
    int socket; /* the driver's end; -1: closed */
    pid_t pid;  /* 0: none, or reaped */
    bool dead;  /* and will be reaped */
    int status;
} fuzz_drivers[FUZZ_DRIVERS];

static pid_t fuzz_next_pid;
static int64_t fuzz_now_ns;

/* The socket is dup'ed, as a child would have it. */
static int
fuzz_clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    (void)run, (void)stack, (void)flags, (void)argument;
    spawn.shared = 0;
    for (size_t i = 0; i < FUZZ_DRIVERS; i++) {
        if (fuzz_drivers[i].pid != 0)
            continue;
        fuzz_drivers[i] = (struct fuzz_driver){.socket = dup(spawn.fd), .pid = fuzz_next_pid++};
        return fuzz_drivers[i].pid;
    }
    errno = EAGAIN;
    return -1;
}

static pid_t
fuzz_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    assert(options == WNOHANG && usage == NULL);
    for (size_t i = 0; i < FUZZ_DRIVERS; i++) {
        struct fuzz_driver *driver = &fuzz_drivers[i];
        if (driver->pid == 0 || !driver->dead || (pid > 0 && pid != driver->pid))
            continue;
        pid = driver->pid;
        *status = driver->status;
        driver->pid = 0;
        return pid;
    }
    return 0;
}

static void
fuzz_die(struct fuzz_driver *driver, int status)
{
    if (driver->socket >= 0)
        close(driver->socket);
    driver->socket = -1;
    driver->dead = true;
    driver->status = status;
}

/* A signal to a pid that is no driver's any more is a bug of the server. */
static int
fuzz_kill(pid_t pid, int number)
{
    for (size_t i = 0; i < FUZZ_DRIVERS; i++) {
        if (fuzz_drivers[i].pid != pid)
            continue;
        if (!fuzz_drivers[i].dead)
            fuzz_die(&fuzz_drivers[i], number);
        return 0;
    }
    abort();
}

static int
fuzz_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    now->tv_sec = fuzz_now_ns / NS_PER_S;
    now->tv_nsec = fuzz_now_ns % NS_PER_S;
    return 0;
}

/* Lets that much time pass, and the timer expire. */
static void
fuzz_pass_ms(int64_t ms)
{
    uint64_t one = 1;

    fuzz_now_ns += ms * NS_PER_MS;
    (void)!write(deadlines.timer.fd, &one, sizeof(one));
}

/* A world without drivers, just begun. */
static void
fuzz_world_begin(void)
{
    memset(fuzz_drivers, 0, sizeof(fuzz_drivers));
    for (size_t i = 0; i < FUZZ_DRIVERS; i++)
        fuzz_drivers[i].socket = -1;
    fuzz_failures = 0;
    fuzz_next_pid = FIRST_PID;
    fuzz_now_ns = NS_PER_S;
}

#endif

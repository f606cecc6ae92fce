#include "signals.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* These functions use bare system calls, because libc's functions leave out the signals that libc
 * reserves for its threads, nptl(7). */

bool
signals_block(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

    memset(set, 0xff, sizeof(*set));
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, NULL, _NSIG / 8) == 0;
}

bool
signals_unblock(void)
{
    static const sigset_t none;

    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, _NSIG / 8) == 0;
}

bool
signals_default(void)
{
    static const char zeros[64]; /* at least the size of the kernel's struct; SIG_DFL, no flags */
    struct sigaction old;
    bool hup_ignored = sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_IGN;

    for (int number = 1; number < _NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            syscall(SYS_rt_sigaction, number, zeros, NULL, _NSIG / 8);
    return hup_ignored;
}

bool
signals_open(struct source *source, const sigset_t *set,
             void (*ready)(struct source *, uint32_t events))
{
    *source = (struct source){.fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = ready};
    return source->fd >= 0 && source_watch(source, EPOLLIN);
}

int
signals_read(const struct source *source, struct signalfd_siginfo *infos, int count)
{
    ssize_t n = read(source->fd, infos, (size_t)count * sizeof(*infos));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return (int)(n / (ssize_t)sizeof(*infos));
}

/* lib/signals.h: what is blocked, what a signalfd gives, and dispositions. */
#include "lib/signals.h"

#include "check.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct source source;

static void
ready(struct source *from, uint32_t events)
{
    (void)from;
    (void)events;
}

/* The bare system call shows also those that libc keeps for itself. */
static bool
blocked(int number)
{
    uint64_t set = 0;

    CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, sizeof(set)) == 0);
    return (set >> (number - 1) & 1) != 0;
}

static void
test_blocked(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

    CHECK(signals_block(set));
    for (int number = 1; number < _NSIG; number++) {
        bool expected = number != SIGKILL && number != SIGSTOP;
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
            expected &= number != faults[i];
        if (blocked(number) != expected)
            check_number((uint64_t)number, 0, __FILE__, __LINE__);
    }
}

static void
test_reading(const sigset_t *set)
{
    struct signalfd_siginfo infos[4];

    CHECK(signals_open(&source, set, ready));
    CHECK_NUMBER(signals_read(&source, infos, 4), 0);
    for (int i = 0; i < 6; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGTERM); /* the same again is the same */
    CHECK_NUMBER(signals_read(&source, infos, 4), 4);
    CHECK_NUMBER(infos[0].ssi_signo, SIGTERM);
    CHECK_NUMBER(infos[0].ssi_pid, getpid());
    CHECK_NUMBER(infos[3].ssi_int, 2);
    CHECK_NUMBER(signals_read(&source, infos, 4), 3);
    CHECK_NUMBER(infos[2].ssi_int, 5);
    CHECK_NUMBER(signals_read(&source, infos, 4), 0);
    source_close(&source);
    errno = 0;
    CHECK(signals_read(&source, infos, 4) == -1 && errno == EBADF);
}

static void
test_dispositions(void)
{
    struct sigaction action;

    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    CHECK(!signals_default());
    signal(SIGHUP, SIG_IGN); /* as nohup(1) has it */
    CHECK(signals_default());
    CHECK(!signals_default()); /* it is not any more */
    for (int number = 1; number < _NSIG; number++)
        if (sigaction(number, NULL, &action) == 0)
            CHECK(action.sa_handler == SIG_DFL && action.sa_flags == 0);
}

int
main(void)
{
    sigset_t set;

    CHECK(sources_open());
    test_blocked(&set);
    test_reading(&set);
    test_dispositions();
    CHECK(signals_unblock());
    for (int number = 1; number < _NSIG; number++)
        CHECK(!blocked(number));
    return checks_failed();
}

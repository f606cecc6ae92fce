/* lib/family.h: a family ends, whatever its shape, and nobody else does. */
#include "lib/family.h"

#include "check.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct family family;
static pid_t spared;

static bool
not_spared(pid_t pid)
{
    return pid != spared;
}

static bool
child_not_spared(pid_t pid, void *argument)
{
    CHECK(argument == &spared);
    return not_spared(pid);
}

/* A pipe that each process of the family holds open, so that its end tells when all are gone. Each
 * writes a byte when it is there. */
static int held[2];

static void
here(void)
{
    alarm(60);
    CHECK(write(held[1], "x", 1) == 1);
}

static pid_t
start(void (*run)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        here();
        if (run != NULL)
            run();
        for (;;)
            pause();
    }
    CHECK(pid > 0);
    return pid;
}

/* A chain of processes, each with a session of its own. */
static void
chain(void)
{
    for (int i = 0; i < 50; i++) {
        setsid();
        if (fork() > 0)
            return;
        here();
    }
}

static void
wide(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 200; i++)
        if (fork() == 0) {
            here();
            return;
        }
}

static int
thread_run(void *nothing)
{
    (void)nothing;
    if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0) /* fork() without libc's part */
        here();
    for (;;)
        pause();
    return 0;
}

/* A second thread has a child. */
static void
threads(void)
{
    static _Alignas(16) char stack[64 * 1024];

    clone(thread_run, stack + sizeof(stack),
          CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
}

/* The first thread ends; the process is a zombie with a thread, which has a child. */
static void
leaderless(void)
{
    threads();
    syscall(SYS_exit, 0);
}

/* A process whose name looks like the end of a name and what follows it in /proc/PID/stat has a
 * child. */
static void
named(void)
{
    prctl(PR_SET_NAME, "a) Z 1 (b");
    if (fork() == 0)
        here();
}

static int
vforked(void *nothing)
{
    (void)nothing;
    here();
    for (;;)
        pause();
    return 0;
}

/* A process that waits for its child, as vfork(2) does, cannot be stopped. */
static void
vforks(void)
{
    static _Alignas(16) char stack[64 * 1024];

    clone(vforked, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

/* Ends the family; none of it lasts until its alarm. Returns the last answer of family_end(). */
static enum family_found
end(void)
{
    enum family_found found;
    int status;

    do {
        found = family_end(&family, not_spared);
        if (found == FAMILY_KILLED)
            while (waitpid(-1, &status, WNOHANG) > 0)
                CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM);
    } while (found == FAMILY_STOPPING || found == FAMILY_KILLED);
    return found;
}

static void
count_member(pid_t pid, void *count)
{
    (void)pid;
    ++*(int *)count;
}

/* All of the family are found, and end. */
static void
test_end(void (*run)(void), int count)
{
    int found = 0;
    char byte;

    CHECK(pipe(held) == 0);
    start(run);
    close(held[1]);
    for (int i = 0; i < count; i++)
        CHECK(read(held[0], &byte, 1) == 1);
    CHECK_NUMBER(family_list(&family, not_spared, count_member, &found), FAMILY_STOPPING);
    CHECK_NUMBER(found, count);
    CHECK_NUMBER(end(), FAMILY_NONE);
    CHECK_NUMBER(read(held[0], &byte, 1), 0);
    close(held[0]);
    CHECK_NUMBER(waitpid(spared, NULL, WNOHANG), 0);
    CHECK_NUMBER(family.count, 0);
}

/* Says each time how often it has been asked to end. */
static void
asked_count(void)
{
    char count = '0';
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(write(held[1], "h", 1) == 1);
    for (;;) {
        while (sigwaitinfo(&set, NULL) < 0) /* a stop interrupts it */
            CHECK(errno == EINTR);
        count++;
        CHECK(write(held[1], &count, 1) == 1);
    }
}

/* Four processes in two groups and two sessions, and a dead one. */
static void
two_groups(void)
{
    setpgid(0, 0);
    if (fork() == 0) {
        alarm(60);
        setsid();
        if (fork() == 0)
            alarm(60);
    } else if (fork() == 0) {
        alarm(60);
        pid_t dead = fork();
        if (dead == 0)
            _exit(0);
        CHECK(waitid(P_PID, (id_t)dead, NULL, WEXITED | WNOWAIT) == 0);
    }
    asked_count();
}

static void
read_bytes(int count, char expected)
{
    char byte;

    for (int i = 0; i < count; i++) {
        CHECK(read(held[0], &byte, 1) == 1);
        CHECK_NUMBER(byte, expected);
    }
}

/* All are counted, and each is asked once, also one that is stopped. */
static void
test_ask(void)
{
    unsigned count;
    char byte;

    CHECK(pipe(held) == 0);
    pid_t group = start(two_groups);
    read_bytes(1, 'x');
    read_bytes(4, 'h');
    CHECK(kill(group, SIGSTOP) == 0);
    CHECK_NUMBER(waitpid(group, NULL, WUNTRACED), group);
    CHECK_NUMBER(family_ask(&family, not_spared, group, &count), FAMILY_STOPPING);
    CHECK_NUMBER(count, 4);
    read_bytes(4, '1');
    CHECK_NUMBER(family_ask(&family, not_spared, 0, &count), FAMILY_STOPPING);
    CHECK_NUMBER(count, 4);
    read_bytes(4, '2');
    close(held[1]);
    CHECK_NUMBER(end(), FAMILY_NONE);
    CHECK_NUMBER(read(held[0], &byte, 1), 0);
    close(held[0]);
    CHECK_NUMBER(family_ask(&family, not_spared, 0, &count), FAMILY_NONE);
    CHECK_NUMBER(count, 0);
}

/* When there is no time for stopping, the first call kills. */
static void
test_no_stopping(void)
{
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(pipe(held) == 0);
    start(NULL);
    read_bytes(1, 'x');
    family.stopping_ns = -1;
    CHECK_NUMBER(family_end(&family, not_spared), FAMILY_KILLED);
    CHECK_NUMBER(sigwaitinfo(&set, &info), SIGCHLD);
    CHECK_NUMBER(info.si_code, CLD_KILLED); /* CLD_STOPPED would come first */
    family.stopping_ns = 0;
    CHECK_NUMBER(end(), FAMILY_NONE);
    close(held[0]);
    close(held[1]);
}

static pid_t traced;

static void
trace(void)
{
    bool holds = ptrace(PTRACE_SEIZE, traced, NULL, NULL) == 0;

    CHECK(write(held[1], holds ? "t" : "n", 1) == 1);
}

/* A member that traces that process, which is us or our parent, is killed before any is stopped. */
static void
test_tracer(pid_t pid)
{
    siginfo_t info;
    sigset_t set;
    char byte;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(pipe(held) == 0);
    traced = pid;
    start(trace);
    read_bytes(1, 'x');
    CHECK(read(held[0], &byte, 1) == 1);
    if (byte == 't') { /* this kernel lets it trace what it does not descend from */
        family_end(&family, not_spared);
        CHECK_NUMBER(sigwaitinfo(&set, &info), SIGCHLD);
        CHECK_NUMBER(info.si_code, CLD_KILLED); /* CLD_STOPPED would come first */
    }
    CHECK_NUMBER(end(), FAMILY_NONE);
    close(held[0]);
    close(held[1]);
}

/* The same in a child, for its parent. */
static void
test_tracer_of_parent(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        test_tracer(getppid());
        _exit(checks_failed());
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int
main(void)
{
    CHECK_NUMBER(children_each(child_not_spared, &spared), CHILDREN_NONE);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    CHECK_NUMBER(end(), FAMILY_NONE);
    CHECK(pipe(held) == 0);
    spared = start(NULL);
    CHECK_NUMBER(end(), FAMILY_NONE);
    test_end(NULL, 1);
    test_end(chain, 51);
    test_end(wide, 201);
    test_end(threads, 2);
    test_end(leaderless, 2);
    test_end(named, 2);
    test_end(vforks, 2);
    test_ask();
    test_no_stopping();
    test_tracer(getpid());
    test_tracer_of_parent();
    kill(spared, SIGKILL);
    CHECK_NUMBER(waitpid(spared, NULL, 0), spared);
    return checks_failed();
}

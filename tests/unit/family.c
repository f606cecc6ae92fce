/* lib/family.h: a family ends, whatever its shape, and nobody else does. */
#include "lib/family.h"

#include "check.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct family family;
static pid_t spared;

static bool
not_spared(pid_t pid, void *argument)
{
    CHECK(argument == &spared);
    return pid != spared;
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

/* Ends the family. Returns the last answer of family_end(). */
static enum family_found
end(void)
{
    enum family_found found;

    do {
        found = family_end(&family, not_spared, &spared);
        if (found == FAMILY_KILLED)
            while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
    } while (found == FAMILY_STOPPING || found == FAMILY_KILLED);
    return found;
}

static void
test_end(void (*run)(void), int count)
{
    char byte;

    CHECK(pipe(held) == 0);
    start(run);
    close(held[1]);
    for (int i = 0; i < count; i++)
        CHECK(read(held[0], &byte, 1) == 1);
    CHECK_NUMBER(end(), FAMILY_NONE);
    CHECK_NUMBER(read(held[0], &byte, 1), 0);
    close(held[0]);
    CHECK_NUMBER(waitpid(spared, NULL, WNOHANG), 0);
    CHECK_NUMBER(family.count, 0);
}

int
main(void)
{
    CHECK(proc_is_ours());
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    CHECK_NUMBER(end(), FAMILY_NONE);
    CHECK(pipe(held) == 0);
    spared = start(NULL);
    CHECK_NUMBER(end(), FAMILY_NONE);
    test_end(NULL, 1);
    test_end(chain, 51);
    test_end(wide, 201);
    test_end(threads, 2);
    kill(spared, SIGKILL);
    CHECK_NUMBER(waitpid(spared, NULL, 0), spared);
    return checks_failed();
}

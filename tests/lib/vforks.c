/*
 * vforks: prints its own pid and its child's; the child leads a session and never execs. So
 * this process waits in the state D, as after vfork(2).
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int
child(void *none)
{
    (void)none;
    setsid();
    dprintf(STDOUT_FILENO, "%d\n%d\n", (int)getppid(), (int)getpid());
    while (pause() < 0)
        ;
    return 0;
}

int
main(void)
{
    static char stack[64 * 1024];

    return clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) < 0;
}

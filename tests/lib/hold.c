/*
 * hold PID [stop|exit|calls|traps]: attaches to a process as a debugger does, and prints "held". If the process
 * dies, its parent cannot reap it until hold exits, which is at the end of standard input, ptrace(2).
 * With stop the process is also stopped, and with exit it is stopped when it dies, before its
 * descriptors are closed. With calls it is stopped at each of its system calls, and goes on only when
 * hold lets it, as strace(1) does; hold then exits when the process has. traps is the same, but a
 * process that is at a system call when hold dies gets SIGTRAP. Exits with status 2 if it cannot attach.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lets the process go on each time that it stops. */
static void
follow(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
        int number = WSTOPSIG(status) & ~0x80, event = status >> 16;
        if (event == PTRACE_EVENT_STOP && number != SIGTRAP)
            ptrace(PTRACE_LISTEN, pid, NULL, NULL); /* it is stopped by a signal */
        else
            ptrace(PTRACE_SYSCALL, pid, NULL, event == 0 && number != SIGTRAP ? (long)number : 0L);
    }
}

int
main(int argc, char **argv)
{
    const char *how = argc == 3 ? argv[2] : "";
    sigset_t set;
    char byte;

    if (argc < 2 || argc > 3)
        errx(2, "usage: hold PID [stop|exit|calls|traps]");
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    long options = strcmp(how, "exit") == 0    ? PTRACE_O_TRACEEXIT
                   : strcmp(how, "calls") == 0 ? PTRACE_O_TRACESYSGOOD
                                               : 0;
    bool calls = strcmp(how, "calls") == 0 || strcmp(how, "traps") == 0;
    bool stops = calls || strcmp(how, "stop") == 0;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD); /* it would stop us if we are traced, too */
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 ||
        (stops && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0))
        err(2, "cannot hold %s", argv[1]);
    puts("held");
    fflush(stdout);
    if (calls)
        follow(pid);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}

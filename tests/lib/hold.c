/*
 * hold PID [stop|exit]: attaches to a process as a debugger does, and prints "held". If the process
 * dies, its parent cannot reap it until hold exits, which is at the end of standard input, ptrace(2).
 * With stop the process is also stopped, and with exit it is stopped when it dies, before its
 * descriptors are closed. Exits with status 2 if it cannot attach.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    const char *how = argc == 3 ? argv[2] : "";
    char byte;

    if (argc < 2 || argc > 3)
        errx(2, "usage: hold PID [stop|exit]");
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    long options = strcmp(how, "exit") == 0 ? PTRACE_O_TRACEEXIT : 0;
    if (ptrace(PTRACE_SEIZE, pid, NULL, options) < 0 ||
        (strcmp(how, "stop") == 0 && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0))
        err(2, "cannot hold %s", argv[1]);
    puts("held");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}

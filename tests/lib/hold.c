/*
 * hold PID: attaches to a process as a debugger does, and prints "held". If the process dies, its
 * parent cannot reap it until hold exits, which is at the end of standard input, ptrace(2). Exits
 * with status 2 if it cannot attach.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    char byte;

    if (argc != 2)
        errx(2, "usage: hold PID");
    if (ptrace(PTRACE_SEIZE, (pid_t)strtol(argv[1], NULL, 10), NULL, NULL) < 0)
        err(2, "cannot hold %s", argv[1]);
    puts("held");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}

/*
 * hold PID: attaches to that process as a debugger does, and says "held". If it dies it stays dead and
 * unreaped, so that its parent does not see it, until we end, at the end of standard input. Ends with
 * status 2 if it may not.
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

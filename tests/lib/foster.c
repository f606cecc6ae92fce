/*
 * foster PROGRAM: runs the program with a socket as descriptor 3, as a driver has, but not as a
 * child of the process that made the socket. Exits with the program's status.
 */
#include <err.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    int pair[2], status;

    if (argc != 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        err(9, "no socket");
    pid_t parent = fork();
    if (parent == 0) {
        pid_t program = fork();
        if (program == 0) {
            close(pair[0]);
            if (dup2(pair[1], 3) < 0)
                err(9, "no descriptor");
            if (pair[1] != 3)
                close(pair[1]);
            execv(argv[1], argv + 1);
            err(9, "%s", argv[1]);
        }
        close(pair[0]);
        close(pair[1]);
        waitpid(program, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 8);
    }
    close(pair[1]);
    /* If the program takes us for its server, it says HELLO, and lives until we close the
     * socket. */
    char byte;
    ssize_t said = read(pair[0], &byte, 1);
    close(pair[0]);
    waitpid(parent, &status, 0);
    if (said > 0)
        errx(7, "it took its socket to be its parent's, and spoke");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}

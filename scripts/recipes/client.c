/*
 * A client of the control socket in C, with libc alone: gives one command and prints the reply.
 *
 *     cc -o client client.c
 *     ./client SOCKET COMMAND        such as: ./client taxi.sock 'run any 60 make'
 *
 * Its exit status is the job's; 128 plus the number of the signal that ended it; 1 after an
 * Error and for a job that ended otherwise; 3 if the server went away before it had replied.
 * In a directory that others can write to, check first whose server it is: SO_PEERCRED, see
 * taxi-protocol(7).
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Returns the exit status that a line of the reply means. */
static int
status_of(const char *line)
{
    int number = 0;

    if (sscanf(line, "Job %*u Done exit %d", &number) == 1)
        return number;
    if (sscanf(line, "Job %*u Done signal %d", &number) == 1)
        return 128 + number;
    return strncmp(line, "Error: ", 7) == 0 || strstr(line, " Done ") != NULL;
}

int
main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[65536] = "";
    int status = 0;

    if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path) || strchr(argv[2], '\n') != NULL)
        errx(2, "usage: client SOCKET COMMAND");
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(3, "no server answers at %s", argv[1]);
    /* With farewell, the server sends a byte 4 after the last reply. One that is killed does not. */
    FILE *replies = fdopen(server, "r");
    if (replies == NULL || dprintf(server, "session farewell\n%s\n", argv[2]) < 0)
        err(1, "cannot ask");
    shutdown(server, SHUT_WR);
    while (fgets(line, sizeof(line), replies) != NULL && line[0] != '\4') {
        status = status_of(line);
        fputs(line, stdout);
        fflush(stdout);
    }
    return line[0] == '\4' ? status : 3;
}

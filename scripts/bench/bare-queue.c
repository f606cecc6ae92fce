/*
 * bare-queue --listen PATH: keeps the number and the command line of each submit, in memory of malloc(3), and
 * answers with a line; get_jobs writes all that it keeps. It serves one client of the socket, and before
 * that answers one line of its standard input, the pause that load gives.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct job {
    struct job *next;
    long number;
    char command[];
};

static struct job *jobs, **jobs_end = &jobs;

static void
submit(const char *command)
{
    size_t size = strlen(command) + 1;
    struct job *job = malloc(sizeof(*job) + size);

    if (job == NULL)
        err(1, "malloc");
    static long last;
    job->number = ++last;
    job->next = NULL;
    memcpy(job->command, command, size);
    *jobs_end = job;
    jobs_end = &job->next;
    printf("Job %ld Waiting\n", job->number);
}

static void
list(void)
{
    long count = 0;

    for (const struct job *job = jobs; job != NULL; job = job->next, count++)
        printf("Job %ld Waiting %s\n", job->number, job->command);
    printf("%ld jobs\n", count);
}

static void
command(const char *line)
{
    const char *job = strncmp(line, "submit ", 7) == 0 ? strchr(line + 7, ' ') : NULL;

    if (job != NULL)
        submit(job + 1);
    else if (strcmp(line, "get_jobs") == 0)
        list();
    else if (strcmp(line, "shutdown") == 0)
        exit(0); /* the kernel takes the memory back */
    else
        errx(1, "unknown command '%s'", line);
}

/* From then on, standard input and output are the client. */
static void
client_wait(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[64];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1) < 0)
        err(1, "%s", path);
    if (read(STDIN_FILENO, line, sizeof(line)) <= 0 || write(STDOUT_FILENO, "Paused\n", 7) != 7)
        errx(1, "nobody has said pause");
    int client = accept(listener, NULL, NULL);
    unlink(path);
    if (client < 0 || dup2(client, STDIN_FILENO) < 0 || dup2(client, STDOUT_FILENO) < 0)
        err(1, "accept");
    close(client);
}

int
main(int argc, char **argv)
{
    static char output[64 << 10];

    if (argc != 3 || strcmp(argv[1], "--listen") != 0)
        errx(2, "usage: bare-queue --listen PATH");
    client_wait(argv[2]);
    setvbuf(stdout, output, _IOFBF, sizeof(output));
    while (lines_read(command))
        fflush(stdout);
    return 0;
}

#include "process.h"

#include "text.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PROC_FILE_SIZE = 512, /* the beginning of a file in which we find what we need */
};

/* Reads the beginning of a file in the process's directory in /proc. Returns false with errno if it
 * cannot be opened. */
static bool
process_read(pid_t pid, const char *file, char *text)
{
    char path[64];
    size_t length = text_append(path, 0, sizeof(path), "/proc/");

    length = number_append(path, length, sizeof(path), (uint64_t)pid);
    text_append(path, length, sizeof(path), file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, PROC_FILE_SIZE - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return true;
}

bool
process_look(pid_t pid, struct process *process)
{
    char text[PROC_FILE_SIZE];

    if (!process_read(pid, "/stat", text))
        return false;
    /* "PID (NAME) STATE PARENT ...", where the name may have blanks and parentheses; the number of
     * threads is the 20th word, proc(5). */
    const char *at = strrchr(text, ')');
    if (at == NULL || strlen(at) < 5)
        return false;
    process->state = at[2];
    process->parent = (pid_t)strtol(at + 4, NULL, 10);
    for (int word = 2; word < 20 && at != NULL; word++)
        at = strchr(at + 1, ' ');
    process->threads = at != NULL ? strtol(at, NULL, 10) : 1;
    return true;
}

bool
process_is_dead(const struct process *process)
{
    return strchr("ZX", process->state) != NULL && process->threads <= 1;
}

/* The name of the process is on the first line, where a newline is written as \n. */
pid_t
process_tracer(pid_t pid)
{
    static const char field[] = "\nTracerPid:";
    char text[PROC_FILE_SIZE];

    if (!process_read(pid, "/status", text))
        return 0;
    const char *at = strstr(text, field);
    return at != NULL ? (pid_t)strtol(at + sizeof(field) - 1, NULL, 10) : 0;
}

bool
process_signal(pid_t pid, int pidfd, int number)
{
    if (pidfd >= 0)
        return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0;
    return kill(pid, number) == 0;
}

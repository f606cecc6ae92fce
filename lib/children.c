#include "children.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* Enough for execvp(3), which keeps a path there and, for a script, a copy of the arguments. */
    CHILD_STACK_SIZE = 64 * 1024,
};

/* Calls visit() for each pid in text; a blank follows each pid, proc(5). *pid is the beginning of a
 * pid that the end of the previous text cut off. Returns whether visit() returned true for any. */
static bool
children_visit(const char *text, ssize_t size, pid_t *pid, bool (*visit)(pid_t, void *),
               void *argument)
{
    bool found = false;

    for (ssize_t i = 0; i < size; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            *pid = *pid * 10 + (text[i] - '0');
        } else if (*pid > 0) {
            found |= visit(*pid, argument);
            *pid = 0;
        }
    }
    return found;
}

/* Calls visit() for each pid in the file at path, a list of children in /proc. */
static enum children
children_listed(const char *path, bool (*visit)(pid_t, void *), void *argument)
{
    char text[1024];
    pid_t pid = 0;
    ssize_t n;
    bool found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return CHILDREN_UNKNOWN;
    while ((n = read(fd, text, sizeof(text))) > 0)
        found |= children_visit(text, n, &pid, visit, argument);
    int error = errno;
    close(fd);
    errno = error;
    if (n < 0)
        return CHILDREN_UNKNOWN;
    return found ? CHILDREN_FOUND : CHILDREN_NONE;
}

/* Only root can mount a /proc. One of another pid namespace is recognized by its "self". */
bool
proc_is_ours(void)
{
    char link[DIGITS_MAX], pid[DIGITS_MAX];
    ssize_t size = readlink("/proc/self", link, sizeof(link));

    if (size < 0)
        return false;
    errno = ENOENT;
    return (size_t)size == number_put(pid, (uint64_t)getpid()) &&
           memcmp(link, pid, (size_t)size) == 0;
}

/* Whether the call that failed may succeed in a moment, because it lacked memory or a descriptor.
 * After any other error it will fail again. */
static bool
may_pass(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

enum children
children_each(bool (*visit)(pid_t pid, void *argument), void *argument)
{
    enum children found = CHILDREN_UNKNOWN;

    if (proc_is_ours())
        found = children_listed("/proc/thread-self/children", visit, argument);
    return found == CHILDREN_UNKNOWN && !may_pass(errno) ? CHILDREN_NO_PROC : found;
}

enum children
children_of_thread(pid_t thread, bool (*visit)(pid_t pid, void *argument), void *argument)
{
    char path[64];
    size_t size = text_append(path, 0, sizeof(path), "/proc/");

    size = number_append(path, size, sizeof(path), (uint64_t)thread);
    size = text_append(path, size, sizeof(path), "/task/");
    size = number_append(path, size, sizeof(path), (uint64_t)thread);
    text_append(path, size, sizeof(path), "/children");
    return children_listed(path, visit, argument);
}

bool
child_in_group(pid_t group)
{
    siginfo_t info;

    return waitid(P_PGID, (id_t)group, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

pid_t
child_wait(pid_t pid, int *status, struct rusage *usage)
{
    pid_t dead;

    while ((dead = wait4(pid, status, WNOHANG, usage)) < 0 && errno == EINTR)
        ;
    return dead;
}

pid_t
child_start(int (*run)(void *error), int flags, int *error)
{
    /* One is enough: when clone() returns, the child does not use it any more. Its section puts it
     * after the other variables: an idle driver then touches one page less. */
    static _Alignas(max_align_t) char stack[CHILD_STACK_SIZE]
        __attribute__((section(".bss.large")));

    *error = 0;
    return clone(run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD | flags, error);
}

#include "family.h"

#include "clock.h"
#include "process.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* How long we wait until all are stopped; then we kill in any case. A fork bomb leaves us only
     * a small share of the processor, so this is long. */
    STOPPING_MS = 2000,
    STEADY_MS = 100, /* the same, if no process comes or goes any more */
    /* How many processes we count and ask to end, so that this is over however fast they fork;
     * about a tenth of a second. */
    ASKED_MAX = 8192,
    TRACERS_MAX = 16, /* of a process, of its tracer, and so on: more than anybody has */
};

/* How the caller tells which children are meant, and what is done with each member. */
struct family_caller {
    struct family *family;
    bool (*ours)(pid_t);
    pid_t group;                         /* it has been asked already; 0: none has */
    void (*visit)(pid_t, void *visitor); /* NULL, or called for each member */
    void *visitor;
};

/* ---- what is pending ------------------------------------------------------------------------- */

static void
family_push(struct family *family, pid_t pid, pid_t parent)
{
    if (family->count < FAMILY_PENDING_MAX)
        family->pending[family->count++] = (struct family_member){.pid = pid, .parent = parent};
    else
        family->runs = true;
}

static bool
family_push_own(pid_t pid, void *argument)
{
    struct family_caller *caller = argument;

    if (!caller->ours(pid))
        return false;
    /* All our children are stopped before any is looked at: most processes of a fork bomb are among
     * them. */
    if (caller->family->pass == FAMILY_STOPS)
        kill(pid, SIGSTOP);
    family_push(caller->family, pid, caller->family->our_pid);
    return true;
}

/* The list that a process is in, as the argument of family_push_child(). */
struct family_list {
    struct family *family;
    pid_t parent;
};

static bool
family_push_child(pid_t pid, void *argument)
{
    struct family_list *list = argument;

    family_push(list->family, pid, list->parent);
    return true;
}

/* Each thread has a list of the children that it has made. */
static void
family_push_of_thread(struct family *family, pid_t parent, pid_t thread)
{
    struct family_list list = {.family = family, .parent = parent};

    if (children_of_thread(thread, family_push_child, &list) == CHILDREN_UNKNOWN && errno != ESRCH)
        family->runs = true;
}

/* Pushes the children that the process's threads other than the first have made. */
static void
family_push_of_threads(struct family *family, pid_t parent)
{
    struct entry { /* see getdents64(2) */
        uint64_t inode;
        int64_t offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    _Alignas(struct entry) char entries[1024];
    char path[64];
    long size;

    size_t length = text_append(path, 0, sizeof(path), "/proc/");
    length = number_append(path, length, sizeof(path), (uint64_t)parent);
    text_append(path, length, sizeof(path), "/task");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    while ((size = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
        const struct entry *entry;
        for (long at = 0; at < size; at += entry->size) {
            entry = (const struct entry *)(const void *)(entries + at);
            pid_t thread = (pid_t)strtol(entry->name, NULL, 10); /* 0: "." or ".." */
            if (thread > 0 && thread != parent)
                family_push_of_thread(family, parent, thread);
        }
    }
    close(fd);
}

static void
family_push_children(struct family *family, pid_t pid, const struct process *process)
{
    family_push_of_thread(family, pid, pid);
    if (process->threads > 1)
        family_push_of_threads(family, pid);
}

/* ---- a member -------------------------------------------------------------------------------- */

/*
 * Looks at a member. Returns whether it is still what it was when it was pushed: our child, or a
 * child of the process in whose list it was. If /proc hides one of our children, the kernel says
 * whether there is such a child.
 */
static bool
member_look(const struct family_caller *caller, const struct family_member *member,
            struct process *process)
{
    struct family *family = caller->family;
    bool own = member->parent == family->our_pid;
    siginfo_t info;

    if (!process_look(member->pid, process)) {
        if (!own || waitid(P_PID, (id_t)member->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
            return false;
        *process = (struct process){.state = 'R', .parent = family->our_pid, .threads = 1};
    }
    if (own)
        return process->parent == family->our_pid && caller->ours(member->pid);
    if (process->parent == member->parent || process->parent == family->our_pid)
        return true;
    family->runs = true; /* it has got another parent, in whose list the next pass finds it */
    return false;
}

/* A process in the state D may be waiting for a child that we have stopped (vfork). The pass does
 * not wait for a process that has become another user's, because we may neither stop nor kill
 * it. */
static void
member_stop(struct family *family, const struct family_member *member, int pidfd, char state)
{
    if (state != 'T' && !process_signal(member->pid, pidfd, SIGSTOP) && errno == EPERM)
        return;
    if (strchr("TtDZX", state) == NULL)
        family->runs = true;
}

static void
member_ask(const struct family_caller *caller, const struct family_member *member, int pidfd)
{
    if (caller->group != 0 && getpgid(member->pid) == caller->group)
        return;
    process_signal(member->pid, pidfd, SIGTERM);
    process_signal(member->pid, pidfd, SIGCONT);
}

/* Does what the pass does with each process, and pushes its children: after it was stopped, so that
 * none is missed, but before it can die of a signal, because its children leave its list then.
 * Returns false if it cannot be looked at, or is not what it was when it was pushed; see errno. */
static bool
member_visit(const struct family_caller *caller, const struct family_member *member, int pidfd)
{
    struct family *family = caller->family;
    struct process process;

    if (!member_look(caller, member, &process))
        return false;
    if (caller->visit != NULL)
        caller->visit(member->pid, caller->visitor);
    if (process_is_dead(&process))
        return true;
    if (family->pass == FAMILY_STOPS)
        member_stop(family, member, pidfd, process.state);
    family->living++;
    family->seen += (uint64_t)member->pid * (uint64_t)member->pid;
    family_push_children(family, member->pid, &process);
    if (family->pass == FAMILY_KILLS)
        process_signal(member->pid, pidfd, SIGKILL);
    else if (family->pass == FAMILY_ASKS)
        member_ask(caller, member, pidfd);
    return true;
}

/* A child of ours keeps its pid until we reap it. The pid of a grandchild could be given to another
 * process while we look at it, if its parent ignores SIGCHLD or runs. So it is held by a pidfd, and
 * its parent is checked, before the signal is sent to the pidfd. If there are no descriptors for
 * that, only the parent is checked; the kernel gives a pid anew only after all others. */
static void
family_pop(const struct family_caller *caller)
{
    struct family *family = caller->family;
    struct family_member member = family->pending[--family->count];
    int pidfd = -1;

    if (member.parent != family->our_pid) {
        pidfd = (int)syscall(SYS_pidfd_open, member.pid, 0);
        if (pidfd < 0 && errno == ESRCH)
            return;
    }
    bool visited = member_visit(caller, &member, pidfd);
    if (pidfd >= 0)
        close(pidfd);
    if (!visited && pidfd >= 0 && errno == EMFILE) /* the pidfd was the last one that we can have */
        member_visit(caller, &member, -1);
}

/* ---- tracers --------------------------------------------------------------------------------- */

/* Whether the process descends from one of the children that the caller means, or is one. */
static bool
family_has(const struct family_caller *caller, pid_t pid)
{
    struct process process;

    for (int i = 0; i < FAMILY_PENDING_MAX && process_look(pid, &process); i++) {
        if (process.parent == caller->family->our_pid)
            return caller->ours(pid);
        pid = process.parent;
    }
    return false;
}

static void
member_kill(const struct family_caller *caller, pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* -1 for a thread, which has no pidfd */

    if (family_has(caller, pid))
        process_signal(pid, pidfd, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
}

/* If a tracer dies while its tracee is stopped at a system call, the kernel may send SIGTRAP to the
 * tracee, ptrace(2): when the tracer has not set PTRACE_O_TRACESYSGOOD. It may stay pending. */
static void
trap_block(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTRAP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * Kills what traces the process, as a debugger does, if it is of the family. A tracer can stop its
 * tracee at each system call until it lets it go on: so if we stopped our own tracer, that would
 * stop us, for ever. The tracer of a tracer is killed first, since it may keep the other from
 * dying.
 */
static void
family_kill_tracers(const struct family_caller *caller, pid_t pid)
{
    pid_t tracers[TRACERS_MAX];
    int count = 0;

    while (count < TRACERS_MAX && (pid = process_tracer(pid)) != 0)
        tracers[count++] = pid;
    if (count > 0)
        trap_block();
    while (count > 0)
        member_kill(caller, tracers[--count]);
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* Begins a pass. Returns FAMILY_STOPPING if there is something to do. Before anything is stopped or
 * killed, our tracer is killed, and so is the tracer of our parent, which is the server if we are a
 * driver. */
static enum family_found
family_begin(struct family_caller *caller)
{
    struct family *family = caller->family;

    family->our_pid = getpid();
    if (family->pass <= FAMILY_KILLS && proc_is_ours()) {
        family_kill_tracers(caller, family->our_pid);
        family_kill_tracers(caller, getppid());
    }
    family->runs = false;
    family->living = 0;
    family->seen = 0;
    switch (children_each(family_push_own, caller)) {
    case CHILDREN_NONE:
        return FAMILY_NONE;
    case CHILDREN_FOUND:
        return FAMILY_STOPPING;
    case CHILDREN_UNKNOWN:
        return FAMILY_UNKNOWN;
    case CHILDREN_NO_PROC:
        break;
    }
    return FAMILY_NO_PROC;
}

/* Goes on with the pass. Returns false if it is not complete at that time. */
static bool
family_go_on(const struct family_caller *caller, int64_t until_ns)
{
    while (caller->family->count > 0) {
        if (clock_ns() >= until_ns)
            return false;
        family_pop(caller);
    }
    return true;
}

static void
family_reset(struct family *family)
{
    family->pass = FAMILY_STOPS;
    family->count = 0;
    family->since_ns = 0;
}

/* Whether there is no time left for stopping. */
static bool
family_must_kill(const struct family *family)
{
    int64_t limit_ns = family->stopping_ns != 0 ? family->stopping_ns : STOPPING_MS * NS_PER_MS;

    return clock_ns() - family->since_ns >= limit_ns;
}

/* A pass that stops is complete. The next one kills if nothing runs any more; or if for some time
 * no process has come or gone, since on a busy machine a process that must stop may wait for the
 * processor. */
static void
family_stopped(struct family *family)
{
    bool steady = family->seen == family->seen_before &&
                  clock_ns() - family->since_ns >= STEADY_MS * NS_PER_MS;

    family->seen_before = family->seen;
    if (!family->runs || steady)
        family->pass = FAMILY_KILLS;
}

enum family_found
family_end(struct family *family, bool (*ours)(pid_t))
{
    struct family_caller caller = {.family = family, .ours = ours};
    int64_t until_ns = clock_ns() + FAMILY_TURN_MS * NS_PER_MS;
    enum family_found found = FAMILY_STOPPING;

    if (family->since_ns == 0)
        family->since_ns = clock_ns();
    do {
        if (family->pass == FAMILY_STOPS && family_must_kill(family)) {
            family->pass = FAMILY_KILLS;
            family->count = 0;
        }
        if (family->count == 0)
            found = family_begin(&caller);
        if (!family_go_on(&caller, until_ns))
            return FAMILY_STOPPING;
        if (found == FAMILY_STOPPING && family->pass == FAMILY_KILLS)
            found = FAMILY_KILLED;
        else if (found == FAMILY_STOPPING)
            family_stopped(family);
    } while (found == FAMILY_STOPPING);
    family->settled = found != FAMILY_KILLED || family->seen == family->seen_killed;
    family->seen_killed = family->seen;
    if (!family->settled && family->stopping_ns > 0)
        family->stopping_ns *= 2; /* killing too early makes room for others */
    family_reset(family);
    return found;
}

/* Makes one pass, which neither stops nor kills. */
static enum family_found
family_pass(struct family_caller *caller, enum family_pass pass)
{
    family_reset(caller->family);
    caller->family->pass = pass;
    enum family_found found = family_begin(caller);
    for (unsigned i = 0; i < ASKED_MAX && caller->family->count > 0; i++)
        family_pop(caller);
    family_reset(caller->family);
    return found;
}

enum family_found
family_ask(struct family *family, bool (*ours)(pid_t), pid_t group, unsigned *count)
{
    struct family_caller caller = {.family = family, .ours = ours, .group = group};
    enum family_found found = family_pass(&caller, FAMILY_COUNTS);

    *count = family->living;
    if (group != 0) {
        kill(-group, SIGTERM);
        kill(-group, SIGCONT);
    }
    return found == FAMILY_STOPPING ? family_pass(&caller, FAMILY_ASKS) : found;
}

enum family_found
family_list(struct family *family, bool (*ours)(pid_t), void (*visit)(pid_t, void *visitor),
            void *visitor)
{
    struct family_caller caller = {
        .family = family, .ours = ours, .visit = visit, .visitor = visitor};

    return family_pass(&caller, FAMILY_COUNTS);
}

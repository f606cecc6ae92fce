#include "spawn.h"

#include "channel.h"
#include "children.h"
#include "clock.h"
#include "close_range.h"
#include "environment.h"
#include "log.h"
#include "options.h"
#include "output.h"
#include "relay.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STACK_SIZE = 64 * 1024, /* a sanitizer needs much of that */
    EXEC_LOOK_MS = 50,      /* how often we look at an exec that takes long */
    EXEC_KILLED_LOOKS = 10, /* how many such looks a child that we have killed gets */
    WAIT_ON_FUTEX = 0,      /* FUTEX_WAIT of linux/futex.h, which not every libc comes with */
};

static struct {
    int null_fd; /* /dev/null, the drivers' standard input and output */
    int fd;      /* a reserved low number, for the socket of the driver that is being started */
    int flags;   /* for child_start() */
    pid_t pid;   /* our own pid */
    struct rlimit nofile; /* of descriptors, as we have inherited it: the drivers' */
    bool hup_ignored;     /* as in server.c */
    char **environment;   /* for drivers */
    pid_t child;          /* the one that was started last */
    atomic_int shared; /* 1: it has had no exec and may still use our memory; the kernel sets 0 */
} spawn = {.null_fd = -1, .fd = -1};

/* Whether our children would be in another pid namespace, where they have no parent, as after
 * unshare -p without -f. The link leads nowhere until that namespace has a process,
 * namespaces(7). */
static bool
children_go_elsewhere(void)
{
    static const char path[] = "/proc/self/ns/pid_for_children";
    struct stat ours, theirs;

    if (lstat(path, &theirs) < 0 || stat("/proc/self/ns/pid", &ours) < 0)
        return false;
    return stat(path, &theirs) < 0 ? errno == ENOENT : theirs.st_ino != ours.st_ino;
}

/* If our limit cannot be raised, fewer drivers can be created. */
void
descriptors_prepare(void)
{
    if (syscall(SYS_close_range, 3U, ~0U, RANGE_CLOEXEC) < 0)
        err(EXIT_FAILURE, "cannot mark descriptors close-on-exec (Linux 5.11 is needed)");
    if (getrlimit(RLIMIT_NOFILE, &spawn.nofile) < 0)
        err(EXIT_FAILURE, "cannot get the limit of descriptors");
    struct rlimit limit = {.rlim_cur = spawn.nofile.rlim_max, .rlim_max = spawn.nofile.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Copying our descriptor table for a child, and closing the copy at its exec, takes longer the more
 * drivers there are: with 10,000, a start took three times as long. So the child shares the table
 * (CLONE_FILES), and then copies only the lowest descriptors, up to spawn.fd. valgrind 3.19 ends a
 * program that does this. We recognize valgrind by clone3(2), which valgrind does not know, while
 * every kernel that we run on does.
 */
void
spawn_open(bool hup_ignored)
{
    if (children_go_elsewhere())
        errx(EXIT_FAILURE, "cannot start drivers: they would be in another pid namespace (unshare "
                           "-p needs -f)");
    spawn.environment = environment_make(environ, &options.environment);
    if (spawn.environment == NULL)
        err(EXIT_FAILURE, "cannot start");
    spawn.pid = getpid();
    spawn.hup_ignored = hup_ignored;
    if (syscall(SYS_clone3, NULL, 0) < 0 && errno != ENOSYS)
        spawn.flags = CLONE_FILES;
    spawn.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (spawn.null_fd >= 0)
        spawn.fd = fcntl(spawn.null_fd, F_DUPFD_CLOEXEC, PROTO_FD + 1);
    if (spawn.fd < 0)
        err(EXIT_FAILURE, "cannot open /dev/null");
}

void
spawn_close(void)
{
    close(spawn.fd);
    close(spawn.null_fd);
    free(spawn.environment);
}

void
spare_fd_lend(void)
{
    close(spawn.fd);
}

void
spare_fd_return(void)
{
    dup3(spawn.null_fd, spawn.fd, O_CLOEXEC);
}

/* Prepares the child for its exec. Returns false with errno on failure. */
static bool
spawn_prepare(void)
{
    if (syscall(SYS_close_range, (unsigned)spawn.fd + 1, ~0U, RANGE_UNSHARE) < 0)
        return false;
    /* The child dies with us, until the driver sets a signal of its own. The parent's pid is
     * checked afterwards, in case we died before. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setpgid(0, 0) < 0)
        return false;
    errno = ESRCH;
    if (getppid() != spawn.pid)
        return false;
    /* dup2() clears close-on-exec in the copy. */
    if (dup2(spawn.null_fd, STDIN_FILENO) < 0 || dup2(spawn.null_fd, STDOUT_FILENO) < 0 ||
        dup2(spawn.fd, PROTO_FD) < 0)
        return false;
    if (relay_fd() != STDERR_FILENO && dup2(relay_fd(), STDERR_FILENO) < 0)
        return false;
    return setrlimit(RLIMIT_NOFILE, &spawn.nofile) == 0;
}

/* Runs in the child, see child_start(). The driver inherits our signal mask, see
 * signals_block(). */
static int
spawn_child(void *error)
{
    /* The casts are safe, because execve(2) does not change the strings. Without --output, the
     * first NULL ends the arguments. */
    char *argv[] = {(char *)options.driver_path, (char *)options.output_path,
                    (char *)output_identity(), (char *)output_link(), NULL};

    /* The program is beside our own binary, or where --driver says, which is the user's choice. */
    if (spawn_prepare())
        execve(options.driver_path, argv, spawn.environment);
    *(int *)error = errno;
    return 127;
}

/* ---- waiting for the exec -------------------------------------------------------------------- */

pid_t
spawn_hangs(void)
{
    siginfo_t info = {.si_pid = 0};

    if (spawn.shared != 0 &&
        waitid(P_PID, (id_t)spawn.child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0)
        return spawn.child;
    spawn.shared = 0; /* also if it has dumped core, which makes some kernels forget it */
    return 0;
}

/* Waits for the child's exec or end, but not for long. Returns whether it still uses our memory. */
static bool
child_shares(void)
{
    struct timespec moment = {.tv_nsec = EXEC_LOOK_MS * NS_PER_MS};

    if (spawn.shared != 0)
        syscall(SYS_futex, &spawn.shared, WAIT_ON_FUTEX, 1, &moment, NULL, 0);
    return spawn.shared != 0 && spawn_hangs() != 0;
}

/* Whether a signal that asks for a stop is pending. */
static bool
stop_is_pending(void)
{
    sigset_t set;

    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGTERM) || sigismember(&set, SIGINT) || sigismember(&set, SIGQUIT) ||
            (sigismember(&set, SIGHUP) && !spawn.hup_ignored));
}

/*
 * Starts the child, as child_start() does. The exec of a program may hang, for example on a dead
 * network file system, and CLONE_VFORK would make us hang with it, deaf to all signals. So we wait
 * ourselves, until the kernel clears spawn.shared at the exec (CLONE_CHILD_CLEARTID), and kill a
 * child that takes too long. As long as one cannot be killed, there is no stack for another.
 */
static pid_t
spawn_start(int *error)
{
    static _Alignas(max_align_t) char stack[STACK_SIZE];
    int64_t until_ns = clock_ns() + options.start_timeout_ns;

    *error = 0;
    if (spawn_hangs() != 0) {
        errno = EBUSY;
        return -1;
    }
    spawn.shared = 1;
    pid_t *parent_word = NULL; /* for flags that are not set, as is the descriptor of TLS */
    void *tls = NULL;
    spawn.child = clone(spawn_child, stack + sizeof(stack),
                        CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD | spawn.flags, error, parent_word,
                        tls, &spawn.shared);
    if (spawn.child < 0) {
        spawn.shared = 0;
        return -1;
    }
    while (child_shares()) {
        bool stops = stop_is_pending();
        if (!stops && clock_ns() < until_ns)
            continue;
        kill(spawn.child, SIGKILL);
        for (int i = 0; i < EXEC_KILLED_LOOKS && child_shares(); i++)
            ;
        *error = stops ? ECANCELED : ETIME;
        break;
    }
    return spawn.child;
}

/* ---- the driver's process -------------------------------------------------------------------- */

/* Starts the driver's process, with socket as its end of the socketpair. Returns its pid, or -1
 * with errno. */
static pid_t
spawn_process(int socket)
{
    int error;

    if (dup3(socket, spawn.fd, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = spawn.flags != 0 ? spawn_start(&error) : child_start(spawn_child, 0, &error);
    spare_fd_return(); /* closes our copy, which would hide the end of the driver's */
    if (pid < 0 || error == 0)
        return pid;
    /* The child is dead, or was killed; lib/reaper.c reaps it. */
    log_line("cannot run %s: %s", options.driver_path, strerror(error));
    errno = error;
    return -1;
}

struct driver *
driver_new(struct call *birth)
{
    int pair[2];
    struct driver *driver = calloc(1, sizeof(*driver));

    if (driver == NULL)
        return NULL;
    driver_init(driver);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        goto no_pair;
    driver->source = (struct source){.fd = pair[0], .ready = driver_ready};
    if (!source_watch(&driver->source, EPOLLIN))
        goto no_process;
    driver->pid = spawn_process(pair[1]);
    if (driver->pid < 0)
        goto no_process;
    close(pair[1]);
    driver->pid_text.size = (uint8_t)number_append(
        driver->pid_text.digits, 0, sizeof(driver->pid_text.digits), (uint64_t)driver->pid);
    driver->birth_failure = OUTCOME_DEAD_BORN;
    driver->started_ns = clock_turn_ns;
    driver->birth = birth;
    if (birth != NULL) {
        driver->creator = birth->request;
        call_set_driver(birth, driver);
    }
    fleet_add(driver);
    return driver;

no_process:;
    int error = errno;
    source_close(&driver->source);
    close(pair[1]);
    errno = error;
no_pair:
    free(driver);
    return NULL;
}

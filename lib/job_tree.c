#include "job_tree.h"

#include "children.h"
#include "clock.h"
#include "list.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STOP_AGAIN_MS = 1,  /* while the job's processes are being stopped */
    LOOK_AGAIN_MS = 10, /* after KILL, whether anything is left */
    REAPED_MAX = 64,    /* in one call: what forks fast may die as fast as we reap */
    /* How long we kill what is left of a job that we abandon. A busy machine gives us more time. */
    ABANDON_TURNS = 200 / FAMILY_TURN_MS,
};

/* ---- signals to the job -------------------------------------------------------------------- */

/* Whether a child of ours belongs to the job: what is in our own session was there before us. */
static bool
job_owns(pid_t pid, void *none)
{
    (void)none;
    return getsid(pid) != getsid(0);
}

/* A search for children needs a descriptor, and there may be no free one; so we lend it the number
 * of our standard output, which we do not use. */
static void
stdout_lend(void)
{
    close(STDOUT_FILENO);
}

static void
stdout_return(void)
{
    dup2(STDIN_FILENO, STDOUT_FILENO); /* both are /dev/null */
}

/* Whether the job's process group still is the job's: it has a child of ours, perhaps dead. */
static bool
job_group_exists(const struct job_tree *job)
{
    siginfo_t info;

    return waitid(P_PGID, (id_t)job->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Asks all of the job's processes to end, including stopped ones. Returns how many they are.
 * Without a /proc of our own, we reach only the job's process group, and count it as one. */
static unsigned
job_ask(struct job_tree *job)
{
    bool group = job_group_exists(job);
    unsigned count;

    stdout_lend();
    enum family_found found =
        family_ask(&job->family, group ? job->pid : 0, &count, job_owns, NULL);
    stdout_return();
    return found == FAMILY_STOPPING || found == FAMILY_NONE ? count : group;
}

/* Sends KILL to the job's processes, see family_end(). Without a /proc of our own, we reach only
 * the job's process group. */
static enum family_found
job_end_family(struct job_tree *job)
{
    stdout_lend();
    enum family_found found = family_end(&job->family, job_owns, NULL);
    stdout_return();
    if (found != FAMILY_NO_PROC)
        return found;
    return job_group_exists(job) && kill(-job->pid, SIGKILL) == 0 ? FAMILY_KILLED : FAMILY_NONE;
}

/* Whether any child of ours belongs to the job, or may. */
static bool
job_has_left(const struct job_tree *job)
{
    stdout_lend();
    enum children found = children_each(job_owns, NULL);
    stdout_return();
    return found == CHILDREN_NO_PROC ? job_group_exists(job) : found != CHILDREN_NONE;
}

/* ---- the end of the job -------------------------------------------------------------------- */

/* Whether the job's first process has not been reaped yet; only then is job->pid still its own. */
static bool
job_first_runs(const struct job_tree *job)
{
    return job->stage == JOB_RUNS || job->stage == JOB_TERMINATED || job->stage == JOB_KILLED;
}

static uint64_t
microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* The job's first process was reaped. What it has left keeps the grace period, if that runs. If
 * nobody has asked the job to end, it may stay for a moment, but not beyond the time limit. */
static void
job_first_ended(struct job_tree *job, int status, const struct rusage *usage)
{
    struct proto_result *result = &job->result;
    int64_t lingers_until_ns = clock_turn_ns + (int64_t)job->run.linger_ms * NS_PER_MS;

    if (job->stage == JOB_RUNS && lingers_until_ns < job->look_ns)
        job->look_ns = lingers_until_ns;
    job->stage = job->stage == JOB_RUNS         ? JOB_LINGERS
                 : job->stage == JOB_TERMINATED ? JOB_REST_TERMINATED
                                                : JOB_REST_KILLED;
    if (result->outcome == 0) { /* we did not end it */
        bool exited = WIFEXITED(status);
        result->outcome = exited ? PROTO_EXITED : PROTO_SIGNALLED;
        result->status = (uint32_t)(exited ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    result->user_us = microseconds(&usage->ru_utime);
    result->system_us = microseconds(&usage->ru_stime);
    result->maxrss_kb = (uint64_t)usage->ru_maxrss;
}

/* Nothing is left of the job: completes the result. */
static void
job_ended(struct job_tree *job)
{
    job->stage = JOB_NONE;
    job->result.elapsed_us = (uint64_t)((clock_turn_ns - job->started_ns) / NS_PER_US);
}

/* Kills what is left of the job, and has job_tree_look() called a moment later. If nothing was
 * left, the job has ended. */
static void
job_kill(struct job_tree *job)
{
    bool first_runs = job_first_runs(job);

    job->stage = first_runs ? JOB_KILLED : JOB_REST_KILLED;
    switch (job_end_family(job)) {
    case FAMILY_NONE:
        if (!first_runs) {
            job_ended(job);
            return;
        }
        break;
    case FAMILY_STOPPING:
        job->look_ns = clock_turn_ns + STOP_AGAIN_MS * NS_PER_MS;
        return;
    case FAMILY_UNKNOWN:
        if (first_runs)
            kill(-job->pid, SIGKILL);
        break;
    case FAMILY_KILLED:
    case FAMILY_NO_PROC: /* job_end_family() does not return this */
        break;
    }
    job->look_ns = clock_turn_ns + LOOK_AGAIN_MS * NS_PER_MS;
}

static void
job_terminate(struct job_tree *job, enum proto_outcome outcome, int64_t grace_ns)
{
    job->stage = JOB_TERMINATED;
    job->result.outcome = outcome;
    job->look_ns = clock_turn_ns + grace_ns;
    job_ask(job);
}

/* The moment is over that is given to what the job's first process has left. */
static void
job_terminate_rest(struct job_tree *job, int64_t grace_ns)
{
    job->stage = JOB_REST_TERMINATED;
    job->look_ns = clock_turn_ns + grace_ns;
    job->result.left = job_ask(job);
}

void
job_tree_reap(struct job_tree *job)
{
    struct rusage usage;
    int status, reaped = 0;
    bool first_died = false;
    /* The first process comes first, since many others may have died. */
    pid_t pid = job_first_runs(job) ? child_wait(job->pid, &status, &usage) : 0;

    for (; pid > 0 || (pid = child_wait(-1, &status, &usage)) > 0; pid = 0) {
        if (job_first_runs(job) && pid == job->pid) {
            job_first_ended(job, status, &usage);
            first_died = true;
        }
        if (++reaped == REAPED_MAX)
            break;
    }
    if (reaped == REAPED_MAX)
        raise(SIGCHLD); /* it is blocked, and calls us again after the loop's other events */
    if (job->stage <= JOB_TAKEN || job_first_runs(job))
        return;
    if (pid < 0) /* there are no more children */
        job_ended(job);
    else if (job->stage == JOB_REST_KILLED)
        job_kill(job);
    else if (reaped > 0 && !job_has_left(job))
        job_ended(job);
    else if (first_died && job->stage == JOB_REST_TERMINATED)
        job_ask(job); /* again: processes that have started since */
}

void
job_tree_look(struct job_tree *job)
{
    job_tree_reap(job); /* which may find that the job has ended, or kill what is left */
    if (job->stage <= JOB_TAKEN || clock_turn_ns < job->look_ns)
        return;
    if (job->stage == JOB_RUNS)
        job_terminate(job, PROTO_TIMED_OUT, job->grace_ns);
    else if (job->stage == JOB_LINGERS)
        job_terminate_rest(job, job->grace_ns);
    else
        job_kill(job);
}

/* Ends a job that has not begun. */
static void
job_drop(struct job_tree *job)
{
    job->stage = JOB_NONE;
    job->result.outcome = PROTO_CANCELLED;
}

void
job_tree_terminate(struct job_tree *job, enum proto_outcome outcome, int64_t grace_ns)
{
    job_tree_reap(job); /* it may have ended, and we have not noticed yet */
    if (job->stage == JOB_TAKEN)
        job_drop(job);
    else if (job->stage == JOB_RUNS)
        job_terminate(job, outcome, grace_ns);
    else if (job->stage == JOB_LINGERS)
        job_terminate_rest(job, grace_ns);
    else if (clock_turn_ns + grace_ns < job->look_ns)
        job->look_ns = clock_turn_ns + grace_ns;
}

void
job_tree_kill(struct job_tree *job, int64_t stopping_ns)
{
    if (job->stage == JOB_TAKEN)
        job_drop(job);
    if (job->stage == JOB_NONE)
        return;
    if (job->stage == JOB_RUNS)
        job->result.outcome = PROTO_CANCELLED;
    job->family.stopping_ns = stopping_ns;
    job_kill(job);
}

void
job_tree_abandon(struct job_tree *job)
{
    if (job->stage <= JOB_TAKEN)
        return;
    job->family.stopping_ns = -1;
    for (int i = 0; i < ABANDON_TURNS && job_end_family(job) == FAMILY_STOPPING; i++)
        ;
}

/* ---- the start of the job ------------------------------------------------------------------ */

/* Writes the name of the job's output file with that suffix to job->name. */
static void
job_name_output(struct job_tree *job, const char *suffix)
{
    size_t size = number_append(job->name, 0, sizeof(job->name), job->run.job);

    text_append(job->name, size, sizeof(job->name), suffix);
}

/*
 * Makes fd write to a new file for the job's output, with that suffix. Returns false with errno on
 * failure. The file never existed before (O_EXCL), so nobody else has it open or can lead us
 * elsewhere by a link; it is in the directory that the server has opened, whatever has become of
 * its path. Only we and root can write into that directory.
 */
static bool
job_redirect(struct job_tree *job, int fd, const char *suffix)
{
    job_name_output(job, suffix);
    int file = openat(job->directory, job->name,
                      O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    return file >= 0 && dup2(file, fd) >= 0;
}

/*
 * If standard error is a pipe, opens it anew, so that the job has O_NONBLOCK for itself. Many programs
 * set that on a pipe, and one that is killed leaves it set: then other jobs that share the open file
 * lose what they write when the pipe is full, pipe(7). With O_NONBLOCK, the open does not wait for a
 * reader. If it fails, for example because the pipe is another user's, the job has the pipe as it is.
 *
 * It is not inlined, so that nothing of it is on the stack at the exec, see job_child().
 */
__attribute__((noinline)) static void
job_open_pipe(void)
{
    struct stat file;

    if (fstat(STDERR_FILENO, &file) < 0 || !S_ISFIFO(file.st_mode))
        return;
    int pipe = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (pipe >= 0 && fcntl(pipe, F_SETFL, 0) == 0)
        dup2(pipe, STDERR_FILENO);
}

/* Returns false with errno and job->cause on failure. Nothing of a job that has not begun is left:
 * the first file is removed if the second cannot be created. */
static bool
job_redirect_output(struct job_tree *job)
{
    if ((job->run.flags & PROTO_RUN_FILES) == 0) {
        job_open_pipe();
        return dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
    }
    job->cause = PROTO_CAUSE_OUT;
    if (!job_redirect(job, STDOUT_FILENO, ".out"))
        return false;
    job->cause = PROTO_CAUSE_ERR;
    if (!job_redirect(job, STDERR_FILENO, ".err")) {
        int error = errno;
        job_name_output(job,
                        ".out"); /* it still is our new file, since nobody else can write there */
        unlinkat(job->directory, job->name, 0);
        errno = error;
        return false;
    }
    job->cause = PROTO_CAUSE_START;
    return true;
}

/* Returns false with errno and job->cause on failure. When the driver dies, the kernel kills only
 * this process, prctl(2); the server finds the job's other processes. */
static bool
job_prepare(struct job_tree *job)
{
    job->cause = PROTO_CAUSE_START;
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == job->parent_pid && setsid() >= 0 &&
           job_redirect_output(job) && signals_unblock();
}

struct proto_frame
job_tree_begun(const struct job_tree *job, pid_t pid)
{
    return (struct proto_frame){
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_BEGUN, job->id),
        .begun.pid = (uint32_t)pid,
    };
}

/* Sends BEGUN from the child, which may do harm to the driver after its exec. Everything else has
 * been sent, so that these 12 bytes are sent as a whole or, if the socket is full, not at all. */
static bool
job_tell_begun(struct job_tree *job)
{
    job->begun = job_tree_begun(job, getpid());
    return send(PROTO_FD, &job->begun, proto_size(&job->begun), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/*
 * Runs in the child, see child_start(). It inherits our standard input, /dev/null, and our
 * dispositions, all default; all descriptors above 2 close at the exec. If the exec fails, the job
 * has begun, and ends with a status as of a shell. No array may be on the stack at the exec,
 * because the next child uses the same stack, and AddressSanitizer would take that for an error.
 */
static int
job_child(void *error)
{
    struct job_tree *job = container_of(error, struct job_tree, error);

    if (!job_prepare(job)) {
        job->error = errno != 0 ? errno : ECHILD;
        return 127;
    }
    if (job->run.flags & PROTO_RUN_TELL)
        job->told = job_tell_begun(job);
    return job_line_exec(&job->line);
}

/* The server leaves room for each of job_variables: one of that name is in our environment, with any
 * value. */
static void
job_variable_set(char *text, const char *name, uint64_t value)
{
    size_t size = text_append(text, 0, JOB_VARIABLE_SIZE, name);

    number_append(text, size, JOB_VARIABLE_SIZE, value);
    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, name, strlen(name)) == 0)
            *variable = text;
}

static void
job_variables_set(struct job_tree *job)
{
    const uint64_t values[JOB_VARIABLES] = {
        [VARIABLE_JOB] = job->run.job,
        [VARIABLE_SLOT] = job->run.slot,
    };

    for (int i = 0; i < JOB_VARIABLES; i++)
        job_variable_set(job->variables[i], job_variables[i], values[i]);
}

/* The job has not begun: completes the result. */
static void
job_unrun(struct job_tree *job, enum proto_cause cause, int error)
{
    job->stage = JOB_NONE;
    job->result =
        (struct proto_result){.outcome = PROTO_UNRUN, .cause = cause, .status = (uint32_t)error};
}

void
job_tree_take(struct job_tree *job, const struct proto_frame *request, const void *data,
              int directory)
{
    size_t size;
    const char *text = proto_text(data, request, &size);

    job->run = proto_run(data);
    job->id = request->header.id;
    job->told = false;
    job->grace_ns = (int64_t)job->run.grace_ms * NS_PER_MS;
    job->result = (struct proto_result){0};
    job->directory = directory;
    if (job->run.flags & PROTO_RUN_WORDS)
        job_line_set_words(&job->line, text, size);
    else
        job_line_set(&job->line, text, size);
    job->stage = JOB_TAKEN;
}

void
job_tree_start(struct job_tree *job)
{
    job->started_ns = clock_ns();
    job->look_ns = job->started_ns + (int64_t)job->run.limit_ms * NS_PER_MS;
    job->parent_pid = getpid();
    if ((uint64_t)job->started_ns >= job->run.expires_ns) {
        job_unrun(job, PROTO_CAUSE_LATE, 0);
    } else if ((job->run.flags & PROTO_RUN_FILES) != 0 && job->directory < 0) {
        job_unrun(job, PROTO_CAUSE_OUT, EBADF);
    } else {
        job_variables_set(job);
        job->pid = child_start(job_child, 0, &job->error);
        if (job->pid < 0)
            job_unrun(job, PROTO_CAUSE_START, errno);
        else if (job->error != 0)
            job_unrun(job, job->cause, job->error); /* job_tree_reap() reaps the child */
        else
            job->stage = JOB_RUNS;
    }
}

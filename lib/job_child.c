#include "job_child.h"

#include "children.h"
#include "directory.h"
#include "list.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes the name of the job's output file with that suffix to child->name. */
static void
child_name_output(struct job_child *child, const char *suffix)
{
    size_t size = number_append(child->name, 0, sizeof(child->name), child->run.job);

    text_append(child->name, size, sizeof(child->name), suffix);
}

/*
 * Makes fd write to a new file for the job's output, with that suffix. Returns false with errno on
 * failure. The file never existed before (O_EXCL), so nobody else has it open or can lead us
 * elsewhere by a link. It is in the directory that the server has opened, whatever has become of
 * its path, and only we and root can write into that directory.
 */
static bool
child_redirect(struct job_child *child, int fd, const char *suffix)
{
    child_name_output(child, suffix);
    int file = openat(child->directory, child->name,
                      O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    return file >= 0 && dup2(file, fd) >= 0;
}

/*
 * If standard error is a pipe, opens it anew, so that the job has an O_NONBLOCK of its own. Many
 * programs set that flag on a pipe, and a program that is killed leaves it set: then other jobs
 * that share the open file lose what they write when the pipe is full, pipe(7). With O_NONBLOCK,
 * the open does not wait for a reader. If the open fails, for example because the pipe is another
 * user's, the job has the pipe as it is.
 *
 * It is not inlined, so that nothing of it is on the stack at the exec, see child_run().
 */
__attribute__((noinline)) static void
child_open_pipe(void)
{
    struct stat file;

    if (fstat(STDERR_FILENO, &file) < 0 || !S_ISFIFO(file.st_mode))
        return;
    int pipe = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (pipe >= 0 && fcntl(pipe, F_SETFL, 0) == 0)
        dup2(pipe, STDERR_FILENO);
}

/* Connects the job's output to its files, or to our standard error. Returns false with errno and
 * child->cause on failure, and then leaves no file. */
static bool
child_redirect_output(struct job_child *child)
{
    if ((child->run.flags & PROTO_RUN_FILES) == 0) {
        child_open_pipe();
        return dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
    }
    child->cause = PROTO_CAUSE_OUT;
    if (!child_redirect(child, STDOUT_FILENO, ".out"))
        return false;
    child->cause = PROTO_CAUSE_ERR;
    if (!child_redirect(child, STDERR_FILENO, ".err")) {
        int error = errno;
        child_name_output(child, ".out"); /* still our file: nobody else can write there */
        unlinkat(child->directory, child->name, 0);
        errno = error;
        return false;
    }
    child->cause = PROTO_CAUSE_START;
    return true;
}

/* Returns false with errno and child->cause on failure. When the driver dies, the kernel kills only
 * this process, prctl(2); the server finds the job's other processes. */
static bool
child_prepare(struct job_child *child)
{
    child->cause = PROTO_CAUSE_START;
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == child->parent_pid &&
           setsid() >= 0 && child_redirect_output(child) && signals_unblock();
}

struct proto_frame
job_child_begun(const struct job_child *child, pid_t pid)
{
    return (struct proto_frame){
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_BEGUN, child->id),
        .begun.pid = (uint32_t)pid,
    };
}

/* Sends BEGUN from the child, which may harm the driver after its exec. Everything else has been
 * sent, so these 12 bytes are sent as a whole or, if the socket is full, not at all. */
static bool
child_tell_begun(struct job_child *child)
{
    child->begun = job_child_begun(child, getpid());
    return send(PROTO_FD, &child->begun, proto_size(&child->begun), MSG_DONTWAIT | MSG_NOSIGNAL) >
           0;
}

/*
 * Runs in the child, see child_start(). It inherits our standard input, /dev/null, and our
 * dispositions, all default; all descriptors above 2 close at the exec. If the exec fails, the job
 * has begun, and ends with a status as of a shell. No array may be on the stack at the exec,
 * because the next child uses the same stack, and AddressSanitizer would take that for an error.
 */
static int
child_run(void *error)
{
    struct job_child *child = container_of(error, struct job_child, error);

    if (!child_prepare(child)) {
        child->error = errno != 0 ? errno : ECHILD;
        return 127;
    }
    if (child->run.flags & PROTO_RUN_TELL)
        child->told = child_tell_begun(child);
    return job_line_exec(&child->line);
}

/* Sets a variable of the job. The variable is in our environment already, with any value, because
 * the server makes room for each of job_variables. */
static void
child_set_variable(char *text, const char *name, uint64_t value)
{
    size_t size = text_append(text, 0, JOB_VARIABLE_SIZE, name);

    number_append(text, size, JOB_VARIABLE_SIZE, value);
    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, name, size) == 0)
            *variable = text;
}

static void
child_set_variables(struct job_child *child)
{
    const uint64_t values[JOB_VARIABLES] = {
        [VARIABLE_JOB] = child->run.job,
        [VARIABLE_SLOT] = child->run.slot,
    };

    for (int i = 0; i < JOB_VARIABLES; i++)
        child_set_variable(child->variables[i], job_variables[i], values[i]);
}

int
job_child_open_output(char **arguments)
{
    int fd = directory_find(arguments[0], arguments[1]);

    return fd >= 0 ? fd : directory_find(arguments[2], arguments[1]);
}

void
job_child_set(struct job_child *child, const struct proto_frame *request, const void *data,
              int directory)
{
    size_t size;
    const char *text = proto_text(data, request, &size);

    child->run = proto_run(data);
    child->id = request->header.id;
    child->told = false;
    child->directory = directory;
    if (child->run.flags & PROTO_RUN_WORDS)
        job_line_set_words(&child->line, text, size);
    else
        job_line_set(&child->line, text, size);
}

pid_t
job_child_start(struct job_child *child)
{
    child->parent_pid = getpid();
    if ((child->run.flags & PROTO_RUN_FILES) != 0 && child->directory < 0) {
        child->cause = PROTO_CAUSE_OUT;
        child->error = EBADF;
        return -1;
    }
    child_set_variables(child);
    pid_t pid = child_start(child_run, 0, &child->error);
    if (pid < 0) {
        child->cause = PROTO_CAUSE_START;
        child->error = errno;
    }
    return child->error == 0 ? pid : -1;
}

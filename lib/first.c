#include "first.h"

#include "children.h"
#include "log.h"
#include "options.h"
#include "process.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the list of a driver's children, the first process of its job comes before all those that the
 * driver got as a subreaper. */
static bool
first_is(pid_t pid, void *first)
{
    pid_t *found = first;

    if (*found == 0 && getsid(pid) == pid)
        *found = pid;
    return *found == pid;
}

enum first
first_look(pid_t driver, pid_t *pid)
{
    struct process process;

    if (!proc_is_ours())
        return FIRST_UNKNOWN;
    if (*pid == 0)
        children_of_thread(driver, first_is, pid);
    if (*pid == 0)
        return FIRST_UNKNOWN;
    /* If the driver has just died, it is our child now. */
    bool ours =
        process_look(*pid, &process) && (process.parent == driver || process.parent == getpid());
    return ours && !process_is_dead(&process) ? FIRST_RAN_ON : FIRST_ENDED;
}

enum first
first_status(int status)
{
    bool by_signal = WIFSIGNALED(status);

    return by_signal && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM) ? FIRST_RAN_ON
                                                                                     : FIRST_ENDED;
}

void
first_log(const struct job *job, pid_t pid)
{
    if (!options.verbose)
        return;
    struct span command = job_text_logged(job->text);
    log_line("job %" PRIu64 " runs on driver %d as process %d: %.*s", job->number, job->driver_pid,
             pid, (int)command.size, command.at);
}

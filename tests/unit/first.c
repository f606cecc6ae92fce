/* lib/first.h: what the server itself finds out about the first process of a job. The driver is a child
 * of this test. */
#include "lib/first.h"

#include "check.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int said[2]; /* a pipe for the pids of what the driver starts, each at its place */

struct said {
    int place;
    pid_t pid;
};

static void
start(int place, bool leads)
{
    if (fork() != 0)
        return;
    alarm(60);
    if (leads)
        setsid();
    struct said own = {place, getpid()};
    CHECK(write(said[1], &own, sizeof(own)) == sizeof(own));
    for (;;)
        pause();
}

/* Starts a driver. It has a child that leads no session, and then others that do. */
static pid_t
driver_start(int leaders)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    alarm(60);
    start(0, false);
    for (int i = 1; i <= leaders; i++)
        start(i, true);
    for (;;)
        pause();
}

/* They are all up. */
static void
hear(pid_t *pids, int count)
{
    struct said one;

    for (int i = 0; i < count; i++) {
        CHECK(read(said[0], &one, sizeof(one)) == sizeof(one));
        pids[one.place] = one.pid;
    }
}

static void
child_end(pid_t pid)
{
    siginfo_t info;

    kill(pid, SIGKILL);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
}

static void
test_no_job(void)
{
    pid_t driver = driver_start(0), none = 0, other;

    hear(&other, 1);
    CHECK_NUMBER(first_look(driver, &none), FIRST_UNKNOWN);
    CHECK_NUMBER(none, 0);
    child_end(driver);
    child_end(other);
}

static void
test_job(void)
{
    pid_t driver = driver_start(2), pids[3], found = 0;

    hear(pids, 3);
    CHECK_NUMBER(first_look(driver, &found), FIRST_RAN_ON);
    CHECK_NUMBER(found, pids[1]);
    pid_t known = found;
    CHECK_NUMBER(first_look(driver, &known), FIRST_RAN_ON);
    CHECK_NUMBER(known, found);
    pid_t stranger = getpid(); /* neither a child of the driver nor ours */
    CHECK_NUMBER(first_look(driver, &stranger), FIRST_ENDED);
    kill(found, SIGKILL); /* the driver does not reap it */
    for (int i = 0; i < 6000 && first_look(driver, &known) == FIRST_RAN_ON; i++)
        usleep(10000);
    CHECK_NUMBER(first_look(driver, &known), FIRST_ENDED);
    child_end(driver);
    for (int i = 0; i < 3; i++)
        child_end(pids[i]);
    CHECK_NUMBER(first_look(driver, &known), FIRST_ENDED);
}

/* What wait(2) says of a child that does that. */
static int
status_after(int number, int code)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (number != 0)
            kill(getpid(), number);
        _exit(code);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void
test_status(void)
{
    CHECK_NUMBER(first_status(status_after(SIGTERM, 0)), FIRST_RAN_ON);
    CHECK_NUMBER(first_status(status_after(SIGKILL, 0)), FIRST_RAN_ON);
    CHECK_NUMBER(first_status(status_after(SIGINT, 0)), FIRST_ENDED);
    CHECK_NUMBER(first_status(status_after(0, 0)), FIRST_ENDED);
    CHECK_NUMBER(first_status(status_after(0, SIGKILL)), FIRST_ENDED);
}

int
main(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(said) == 0);
    test_no_job();
    test_job();
    test_status();
    return checks_failed();
}

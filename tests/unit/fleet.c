/* lib/fleet.h: a driver is killed, but once it was reaped, its pid may be another process's. */
#include "lib/fleet.h"

#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Kills a driver, whose pid is the pid of a process that waits. Returns whether the process ended. */
static bool
ends(bool reaped)
{
    struct driver driver = {.source.fd = -1, .reaped = reaped};
    int status;

    driver.pid = fork();
    if (driver.pid == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    CHECK(driver.pid > 0);
    driver_init(&driver);
    driver_kill(&driver);
    kill(driver.pid, SIGTERM); /* does nothing after a KILL */
    CHECK(waitpid(driver.pid, &status, 0) == driver.pid && WIFSIGNALED(status));
    list_remove(&driver.doomed);
    return WTERMSIG(status) == SIGKILL;
}

int
main(void)
{
    CHECK(fleet_open());
    CHECK(ends(false));
    CHECK(!ends(true));
    fleet_close();
    return checks_failed();
}

/*
 * confine UID COMMAND...: runs the command as systemd would with the most of taxi.service: as that
 * user, in a user namespace in which only root and that user have a name (PrivateUsers=), without
 * any capability (CapabilityBoundingSet=), new privileges, or new code in memory
 * (MemoryDenyWriteExecute=, as far as the kernel knows PR_SET_MDWE). Only root can run it.
 */
#include <err.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SET_MDWE = 65, /* PR_SET_MDWE and PR_MDWE_REFUSE_EXEC_GAIN, which older headers do not have */
    MDWE_REFUSE_EXEC_GAIN = 1,
};

static void
map_write(const char *name, pid_t pid, unsigned id)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fprintf(file, "0 0 1\n%u %u 1\n", id, id) < 0 || fclose(file) != 0)
        err(125, "%s", path);
}

/* A child, which stays in the namespace of before, says who is who in the new one. */
static void
users_separate(unsigned id)
{
    int ready[2], status;
    char byte;
    pid_t us = getpid();

    if (pipe(ready) < 0)
        err(125, "pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1)
            _exit(125);
        map_write("uid_map", us, id);
        map_write("gid_map", us, id);
        _exit(0);
    }
    if (child < 0 || unshare(CLONE_NEWUSER) < 0)
        err(125, "no user namespace");
    if (write(ready[1], "", 1) != 1 || waitpid(child, &status, 0) != child || status != 0)
        errx(125, "no users in the namespace");
    close(ready[0]);
    close(ready[1]);
}

int
main(int count, char **words)
{
    if (count < 3)
        errx(125, "usage: confine UID COMMAND...");
    unsigned id = (unsigned)strtoul(words[1], NULL, 10);
    if (setgroups(0, NULL) < 0)
        err(125, "setgroups");
    users_separate(id);
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            err(125, "PR_CAPBSET_DROP");
    if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        err(125, "cannot become user %u", id);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        err(125, "PR_SET_NO_NEW_PRIVS");
    prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0); /* EINVAL before Linux 6.3 */
    execvp(words[2], words + 2);
    err(127, "%s", words[2]);
}

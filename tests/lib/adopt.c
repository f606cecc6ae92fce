/*
 * adopt PROGRAM [ARGUMENT...]: runs the program as its child, and becomes the parent of what that
 * leaves, as process 1 of a container does: in the same session. Exits when nothing of it is left.
 */
#include <err.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        err(9, "cannot adopt");
    pid_t program = fork();
    if (program == 0) {
        execv(argv[1], argv + 1);
        err(9, "%s", argv[1]);
    }
    close(STDIN_FILENO); /* the program's, whose end must be seen */
    close(STDOUT_FILENO);
    while (wait(NULL) > 0)
        ;
    return 0;
}

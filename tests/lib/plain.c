/*
 * plain COMMAND...: runs the command with no signal ignored and none blocked, whatever we inherited
 * from nohup or from a shell that started us in the background.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int
main(int count, char **words)
{
    sigset_t none;

    if (count < 2) {
        fprintf(stderr, "usage: plain COMMAND...\n");
        return 2;
    }
    for (int number = 1; number <= SIGRTMAX; number++)
        signal(number, SIG_DFL); /* fails for a few signals, which are always default */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(words[1], words + 1);
    err(127, "%s", words[1]);
}

/*
 * bomb COUNT: a job that is a fork bomb of about COUNT processes, at most 250. Each has a session
 * of its own, ignores TERM, and makes another whenever there are fewer; some then exit, so that
 * their children get another parent. Creates the file up when there are COUNT. To be on the safe
 * side, all exit after two minutes.
 *
 * There are as many places as processes: the bytes of the file places. A process locks the byte of
 * its place, fcntl(2). When it dies, however that happens, the kernel unlocks it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int places;
static long count;
static time_t until;

static bool
place_lock(long place, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};

    return fcntl(places, F_SETLK, &lock) == 0;
}

/* Whether another process has the place. */
static bool
place_taken(long place)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};

    return fcntl(places, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Makes a child for a free place. Returns the place that this process then has. */
static long
spread(long own)
{
    long place = random() % count;

    if (place == own || !place_lock(place, F_WRLCK))
        return own;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (time(NULL) >= until)
            _exit(0);
        alarm((unsigned)(until - time(NULL)) + 1);
        srandom((unsigned)getpid());
        for (int i = 0; !place_lock(place, F_WRLCK); i++) {
            if (i == 20)
                _exit(0);
            usleep(1000);
        }
        return place;
    }
    place_lock(place, F_UNLCK);
    if (child > 0 && random() % 4 == 0)
        _exit(0);
    return own;
}

int
main(int argc, char **argv)
{
    count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (count < 2 || count > 250)
        errx(2, "usage: bomb COUNT");
    places = open("places", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (places < 0)
        err(2, "places");
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    until = time(NULL) + 120;
    alarm(120);
    if (fork() > 0) { /* the job's first process only waits until all are up */
        for (long place = 0; place < count; place++)
            while (!place_taken(place))
                usleep(1000);
        close(open("up", O_WRONLY | O_CREAT, 0666));
        for (;;)
            pause();
    }
    for (long own = -1;; usleep((useconds_t)(random() % 500)))
        own = spread(own);
}

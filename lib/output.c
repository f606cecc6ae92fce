#include "output.h"

#include "directory.h"
#include "options.h"
#include "result.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    int fd; /* the directory */
    char identity[IDENTITY_SIZE];
    char link[sizeof("/proc//fd/") + 2 * DIGITS_MAX];
} output = {.fd = -1};

/* Returns the number in the name of an output file, JOB_NUMBER_MAX + 1 if it is higher than
 * that, and 0 for any other name. */
static uint64_t
output_number(const char *name)
{
    const char *suffix = strchr(name, '.');
    uint64_t number = 0;

    if (suffix != NULL && (strcmp(suffix, ".out") == 0 || strcmp(suffix, ".err") == 0))
        digits_parse(name, (size_t)(suffix - name), JOB_NUMBER_MAX, &number);
    return number;
}

/* Returns the highest number in the directory. Exits if that is too high. */
static uint64_t
output_highest(void)
{
    int copy = fcntl(output.fd, F_DUPFD_CLOEXEC, 0); /* for closedir() to close */
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    uint64_t highest = 0;

    if (directory == NULL)
        err(EXIT_FAILURE, "cannot read the directory %s", options.output_path);
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        uint64_t number = output_number(entry->d_name);
        if (number > JOB_NUMBER_MAX)
            errx(EXIT_FAILURE, "cannot go on from %s/%s: number too large (limit %" PRIu64 ")",
                 options.output_path, entry->d_name, JOB_NUMBER_MAX);
        if (number > highest)
            highest = number;
    }
    if (errno != 0)
        err(EXIT_FAILURE, "cannot read the directory %s", options.output_path);
    closedir(directory);
    return highest;
}

/*
 * Looks at what is at the path, and exits if that is another user's link, which could lead us to
 * any directory of our own. In a sticky directory such as /tmp he cannot replace what is ours.
 * Whoever gives a path through another user's directory trusts him.
 */
static void
output_look(struct stat *file)
{
    char path[OUTPUT_PATH_MAX + 1];
    size_t size = text_append(path, 0, sizeof(path), options.output_path);

    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0'; /* with it, lstat() would follow the link */
    if (lstat(path, file) < 0)
        err(EXIT_FAILURE, "cannot write into %s", path);
    if (S_ISLNK(file->st_mode) && file->st_uid != geteuid() && file->st_uid != 0)
        errx(EXIT_FAILURE, "cannot write into %s: it is another user's link", path);
}

/* An access control list cannot hide who else may write: where there is one, the bits of the group
 * are the most that it gives to anybody, acl(5). */
static void
output_check(void)
{
    struct stat status, file;
    const char *path = options.output_path;

    if (fstat(output.fd, &status) < 0)
        err(EXIT_FAILURE, "cannot write into %s", path);
    output_look(&file);
    if (!S_ISLNK(file.st_mode) && (file.st_dev != status.st_dev || file.st_ino != status.st_ino))
        errx(EXIT_FAILURE, "cannot write into %s: it was just replaced", path);
    if (status.st_uid != geteuid())
        errx(EXIT_FAILURE, "cannot write into %s: it is another user's", path);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        errx(EXIT_FAILURE, "cannot write into %s: others can write there, too (try chmod go-w)",
             path);
    if (faccessat(output.fd, ".", W_OK | X_OK, 0) < 0)
        err(EXIT_FAILURE, "cannot write into %s", path);
}

uint64_t
output_open(void)
{
    size_t size;

    if (options.output_path == NULL)
        return 0;
    if (mkdir(options.output_path, 0755) < 0 && errno != EEXIST)
        err(EXIT_FAILURE, "cannot make the directory %s", options.output_path);
    /* mkdir() follows no link. open() does, and whoever can write into the directory above may just
     * have put another one at the path: output_check() looks at what we have opened. */
    output.fd = open(options.output_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output.fd < 0) {
        int error = errno;
        struct stat file;

        output_look(&file); /* such a link fails with EACCES, if fs.protected_symlinks is set */
        errno = error;
        err(EXIT_FAILURE, "cannot write into %s", options.output_path);
    }
    output_check();
    if (!directory_identify(output.fd, output.identity))
        err(EXIT_FAILURE, "cannot write into %s", options.output_path);
    size = text_append(output.link, 0, sizeof(output.link), "/proc/");
    size = number_append(output.link, size, sizeof(output.link), (uint64_t)getpid());
    size = text_append(output.link, size, sizeof(output.link), "/fd/");
    number_append(output.link, size, sizeof(output.link), (uint64_t)output.fd);
    return output_highest();
}

static bool
output_has_file(uint64_t number, const char *suffix)
{
    char name[DIGITS_MAX + sizeof(".out")];
    struct stat file;
    size_t size = number_append(name, 0, sizeof(name), number);

    text_append(name, size, sizeof(name), suffix);
    return fstatat(output.fd, name, &file, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
output_has(uint64_t number)
{
    return output.fd >= 0 && (output_has_file(number, ".out") || output_has_file(number, ".err"));
}

void
output_close(void)
{
    if (output.fd >= 0)
        close(output.fd);
}

const char *
output_identity(void)
{
    return output.fd >= 0 ? output.identity : NULL;
}

const char *
output_link(void)
{
    return output.fd >= 0 ? output.link : NULL;
}

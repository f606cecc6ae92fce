#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
directory_identify(int fd, char *identity)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return false;
    size_t size = number_append(identity, 0, IDENTITY_SIZE, status.st_dev);
    size = text_append(identity, size, IDENTITY_SIZE, ":");
    number_append(identity, size, IDENTITY_SIZE, status.st_ino);
    return true;
}

/* Symbolic links in the path are followed, and whoever may rename a part of it can lead us to
 * another directory. So the directory that was opened is compared with the identity. */
int
directory_find(const char *path, const char *identity)
{
    char found[IDENTITY_SIZE];
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    bool known = directory_identify(fd, found);
    int error = known ? ESTALE : errno;
    if (known && strcmp(found, identity) == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

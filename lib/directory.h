/*
 * directory.h: how one process tells another which directory it means, without giving it a
 * descriptor: by an identity, i.e. a text such as "2049:131" with its device and inode.
 *
 * A directory keeps its identity when it is renamed. As long as somebody has it open, no other
 * directory can get the same identity.
 */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "text.h"

enum {
    IDENTITY_SIZE = 2 * DIGITS_MAX + 2, /* in bytes, with a zero byte */
};

/* Writes the identity of an open directory, which has IDENTITY_SIZE. Returns false with errno on
 * failure. */
bool directory_identify(int fd, char *identity);

/* Opens the directory with that identity, if it is at the path, for openat(2) and no other use.
 * Returns a descriptor that the caller closes; or -1 with errno, ESTALE if another directory is at
 * the path. */
int directory_find(const char *path, const char *identity);

#endif

/*
 * close_range.h: the number and the flags of close_range(2), which some libcs do not define.
 */
#ifndef CLOSE_RANGE_H
#define CLOSE_RANGE_H

#include <sys/syscall.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture but Alpha */
#endif

enum {
    RANGE_UNSHARE = 1U << 1, /* first give this process its own copy of the descriptor table */
    RANGE_CLOEXEC = 1U << 2, /* close the descriptors at the next exec instead of now */
};

#endif

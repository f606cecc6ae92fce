/*
 * close_range.h: the number and the flags of close_range(2), which not every libc knows.
 */
#ifndef CLOSE_RANGE_H
#define CLOSE_RANGE_H

#include <sys/syscall.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture but Alpha */
#endif

enum {
    RANGE_UNSHARE = 1U << 1, /* first gives this process a descriptor table of its own */
    RANGE_CLOEXEC = 1U << 2, /* closes them at the next exec instead of now */
};

#endif

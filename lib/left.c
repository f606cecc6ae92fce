#include "left.h"

#include "log.h"
#include "text.h"

void
left_flush(struct left *left)
{
    if (left->size > 0)
        log_line("could not be ended and are left:%s", left->pids);
    left->size = 0;
}

void
left_add(struct left *left, pid_t pid)
{
    if (left->size + 1 + DIGITS_MAX + 1 > sizeof(left->pids))
        left_flush(left);
    left->size = text_append(left->pids, left->size, sizeof(left->pids), " ");
    left->size = number_append(left->pids, left->size, sizeof(left->pids), (uint64_t)pid);
}

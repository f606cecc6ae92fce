#include "survivors.h"

#include "log.h"
#include "text.h"

void
survivors_flush(struct survivors *survivors)
{
    if (survivors->size > 0)
        log_line("could not be ended and are left:%s", survivors->pids);
    survivors->size = 0;
}

void
survivors_add(struct survivors *survivors, pid_t pid)
{
    if (survivors->size + 1 + DIGITS_MAX + 1 > sizeof(survivors->pids))
        survivors_flush(survivors);
    survivors->size = text_append(survivors->pids, survivors->size, sizeof(survivors->pids), " ");
    survivors->size =
        number_append(survivors->pids, survivors->size, sizeof(survivors->pids), (uint64_t)pid);
}

#include "deadline.h"

#include "clock.h"
#include "log.h"
#include "timer.h"

#include <errno.h>
#include <string.h>

enum {
    RETRY_DELAY_MS = 100, /* after memory or a descriptor was lacking */
};

static struct {
    struct {
        struct list queue;
        int64_t timeout_ns;
    } kinds[DEADLINE_KINDS];
    struct source timer;
    int64_t armed_ns; /* what the timer is armed for; 0: it is not armed */
    bool failed;      /* it cannot be set, which was logged */
    void (*over)(void);
    struct deadline retry;
} deadlines = {.timer.fd = -1};

static void
timer_ready(struct source *source, uint32_t events)
{
    (void)events;
    if (!timer_take(source))
        return;
    deadlines.armed_ns = 0;
    deadlines.over();
}

bool
deadlines_open(void (*over)(void))
{
    for (int kind = 0; kind < DEADLINE_KINDS; kind++)
        list_init(&deadlines.kinds[kind].queue);
    deadline_init(&deadlines.retry);
    deadlines.over = over;
    return timer_open(&deadlines.timer, timer_ready);
}

void
deadlines_close(void)
{
    source_close(&deadlines.timer);
}

void
deadline_set(enum deadline_kind kind, int64_t timeout_ns)
{
    deadlines.kinds[kind].timeout_ns = timeout_ns;
}

void
deadline_init(struct deadline *deadline)
{
    list_init(&deadline->link);
}

void
deadline_start(struct deadline *deadline, enum deadline_kind kind)
{
    list_unlink(&deadline->link);
    deadline->at_ns = clock_turn_ns + deadlines.kinds[kind].timeout_ns;
    list_append(&deadlines.kinds[kind].queue, &deadline->link);
}

void
deadline_start_for(struct deadline *deadline, enum deadline_kind kind, int64_t timeout_ns)
{
    struct list *queue = &deadlines.kinds[kind].queue, *after;

    list_unlink(&deadline->link);
    deadline->at_ns = clock_turn_ns + timeout_ns;
    for (after = queue->prev; after != queue; after = after->prev)
        if (container_of(after, struct deadline, link)->at_ns <= deadline->at_ns)
            break;
    list_append(after->next, &deadline->link);
}

void
deadline_stop(struct deadline *deadline)
{
    list_remove(&deadline->link);
}

bool
deadline_is_set(const struct deadline *deadline)
{
    return !list_empty(&deadline->link);
}

void
retry_later(void)
{
    if (!deadline_is_set(&deadlines.retry))
        deadline_start_for(&deadlines.retry, DEADLINE_RETRY, RETRY_DELAY_MS * NS_PER_MS);
}

static struct deadline *
deadline_first(enum deadline_kind kind)
{
    struct list *queue = &deadlines.kinds[kind].queue;

    return list_empty(queue) ? NULL : container_of(queue->next, struct deadline, link);
}

struct deadline *
deadline_over(enum deadline_kind kind)
{
    struct deadline *first = deadline_first(kind);

    return first != NULL && first->at_ns <= clock_turn_ns ? first : NULL;
}

bool
retry_is_due(void)
{
    if (deadline_over(DEADLINE_RETRY) == NULL)
        return false;
    deadline_stop(&deadlines.retry);
    return true;
}

bool
deadlines_none(enum deadline_kind kind)
{
    return deadline_first(kind) == NULL;
}

/* Returns the time of the earliest deadline, or 0 if there is none. */
static int64_t
deadlines_earliest_ns(void)
{
    int64_t earliest_ns = 0;

    for (int kind = 0; kind < DEADLINE_KINDS; kind++) {
        const struct deadline *first = deadline_first((enum deadline_kind)kind);
        if (first != NULL && (earliest_ns == 0 || first->at_ns < earliest_ns))
            earliest_ns = first->at_ns;
    }
    return earliest_ns;
}

/* A timer that is armed for an earlier time stays as it is: one early wake-up is cheaper than
 * setting the timer each time. */
void
deadlines_arm(void)
{
    int64_t earliest_ns = deadlines_earliest_ns(), armed_ns = deadlines.armed_ns;

    if (earliest_ns == armed_ns || (earliest_ns != 0 && armed_ns != 0 && armed_ns < earliest_ns))
        return;
    bool set = timer_set(&deadlines.timer, earliest_ns);
    if (set)
        deadlines.armed_ns = earliest_ns;
    else if (!deadlines.failed)
        log_line("cannot set the timer: %s", strerror(errno)); /* the next turn tries again */
    deadlines.failed = !set;
}

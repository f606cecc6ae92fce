#include "timer.h"

#include "clock.h"

#include <sys/timerfd.h>
#include <unistd.h>

bool
timer_open(struct source *source, void (*ready)(struct source *, uint32_t events))
{
    *source = (struct source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                              .ready = ready};
    return source->fd >= 0 && source_watch(source, EPOLLIN);
}

bool
timer_set(const struct source *source, int64_t at_ns)
{
    struct itimerspec at = {
        .it_value.tv_sec = (time_t)(at_ns / NS_PER_S),
        .it_value.tv_nsec = (long)(at_ns % NS_PER_S),
    };

    return timerfd_settime(source->fd, TFD_TIMER_ABSTIME, &at, NULL) == 0;
}

bool
timer_take(const struct source *source)
{
    uint64_t expirations;

    return read(source->fd, &expirations, sizeof(expirations)) == sizeof(expirations);
}

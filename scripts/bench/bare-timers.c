/*
 * bare-timers TIMERS ENDS: by how many microseconds (median) a process notices the end of a timer
 * late, and how many it noticed early. TIMERS timerfds of 1 to 50 ms run at once, and again, until there were
 * ENDS ends.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct timer {
    int fd;
    int64_t end_ns; /* on CLOCK_MONOTONIC */
};

static void
timer_start(struct timer *timer, uint32_t *seed)
{
    timer->end_ns = clock_ns(CLOCK_MONOTONIC) + duration_next_ms(seed) * NS_PER_MS;
    struct itimerspec at = {
        .it_value.tv_sec = (time_t)(timer->end_ns / NS_PER_S),
        .it_value.tv_nsec = (long)(timer->end_ns % NS_PER_S),
    };
    if (timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        err(1, "timerfd_settime");
}

int
main(int argc, char **argv)
{
    uint32_t seed = 1;
    uint64_t expirations;
    long early = 0;

    if (argc != 3)
        errx(2, "usage: bare-timers TIMERS ENDS");
    long count = argument(argv[1], 1000), ends = argument(argv[2], 1000000);
    struct timer *timers = calloc((size_t)count, sizeof(*timers));
    int64_t *late_ns = calloc((size_t)ends, sizeof(*late_ns));
    int epoll_fd = epoll_create1(0);
    if (timers == NULL || late_ns == NULL || epoll_fd < 0)
        err(1, "start");
    for (long i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &timers[i]};
        timers[i].fd = timerfd_create(CLOCK_MONOTONIC, 0);
        if (timers[i].fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timers[i].fd, &event) < 0)
            err(1, "timerfd");
        timer_start(&timers[i], &seed);
    }
    for (long i = 0; i < ends; i++) {
        struct epoll_event event;
        if (epoll_wait(epoll_fd, &event, 1, -1) != 1)
            err(1, "epoll_wait");
        struct timer *timer = event.data.ptr;
        if (read(timer->fd, &expirations, sizeof(expirations)) < 0)
            err(1, "read");
        late_ns[i] = clock_ns(CLOCK_MONOTONIC) - timer->end_ns;
        early += late_ns[i] < 0;
        timer_start(timer, &seed);
    }
    printf("%.1f %ld\n", (double)median(late_ns, (size_t)ends) / 1e3, early);
    free(timers);
    free(late_ns);
    return 0;
}

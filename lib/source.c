#include "source.h"

#include "clock.h"

#include <errno.h>
#include <unistd.h>

enum {
    EVENTS_PER_TURN = 256,
};

static int epoll_fd = -1;

bool
sources_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd >= 0;
}

void
sources_close(void)
{
    close(epoll_fd);
}

bool
source_watch(struct source *source, uint32_t events)
{
    /* The kernel copies this event, and returns the pointer in it to sources_wait(). The event is
     * initialized for each call, so that no part of its union is left over from another
     * registration. */
    struct epoll_event event = {.events = events, .data.ptr = source};
    int operation = EPOLL_CTL_MOD;

    if (events == source->events)
        return true;
    /* A source that is watched for nothing must leave the set: epoll_ctl(2) says that a hangup is
     * reported even then, and the loop would spin. */
    if (events == 0)
        operation = EPOLL_CTL_DEL;
    else if (source->events == 0)
        operation = EPOLL_CTL_ADD;
    if (epoll_ctl(epoll_fd, operation, source->fd, &event) < 0)
        return false;
    source->events = events;
    return true;
}

bool
source_pollable(int fd)
{
    struct epoll_event event = {.events = 0};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return errno != EPERM;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &event);
    return true;
}

bool
source_open(struct source *source, int fd, void (*ready)(struct source *, uint32_t events),
            uint32_t events)
{
    *source = (struct source){.fd = fd, .ready = ready};
    if (fd < 0)
        return false;
    if (source_watch(source, events))
        return true;
    int error = errno;
    source_close(source);
    errno = error;
    return false;
}

void
source_close(struct source *source)
{
    source_watch(source, 0);
    close(source->fd);
    source->fd = -1;
}

bool
sources_wait(int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(epoll_fd, events, EVENTS_PER_TURN, timeout_ms);
    bool failed = count < 0 && errno != EINTR;

    clock_look();
    for (int i = 0; i < count; i++) {
        struct source *source = events[i].data.ptr;
        if (source->fd >= 0)
            source->ready(source, events[i].events);
    }
    return !failed;
}

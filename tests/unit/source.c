/* lib/source.h: what was closed or is not watched has no event. */
#include "lib/source.h"

#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

static struct source one, other;
static int calls;

static void
count(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    calls++;
}

static void
close_both(struct source *source, uint32_t events)
{
    count(source, events);
    CHECK(source->fd >= 0);
    source_close(&one);
    source_close(&other);
}

/* Two sources have an event in the same turn, and the handler of each closes both. */
static void
test_closed(void)
{
    int ends[2];

    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(source_open(&one, dup(ends[0]), close_both, EPOLLIN));
    CHECK(source_open(&other, ends[0], close_both, EPOLLIN));
    calls = 0;
    CHECK(sources_wait(0));
    CHECK_NUMBER(calls, 1);
    close(ends[1]);
}

/* epoll_ctl(2) reports a hangup even if no event is asked for. */
static void
test_unwatched(void)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(source_open(&one, ends[0], count, EPOLLIN));
    close(ends[1]);
    calls = 0;
    CHECK(source_watch(&one, 0));
    CHECK(sources_wait(0));
    CHECK_NUMBER(calls, 0);
    CHECK(source_watch(&one, EPOLLOUT));
    CHECK(sources_wait(0));
    CHECK_NUMBER(calls, 1);
    source_close(&one);
    CHECK(sources_wait(0));
    CHECK_NUMBER(calls, 1);
}

int
main(void)
{
    CHECK(sources_open());
    test_closed();
    test_unwatched();
    sources_close();
    return checks_failed();
}

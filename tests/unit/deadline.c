/* lib/deadline.h: order, stop and start anew, and what the timerfd is armed for. */
#include "lib/deadline.h"
#include "lib/clock.h"
#include "lib/source.h"

#include "check.h"

#include <sys/timerfd.h>
#include <unistd.h>

static int timer_fd;
static int over_calls;

static void
over(void)
{
    over_calls++;
}

/* Opens them, and finds out which descriptor is the timer's: the lowest that is free. */
static void
open_deadlines(void)
{
    CHECK(sources_open());
    timer_fd = dup(STDERR_FILENO);
    close(timer_fd);
    CHECK(deadlines_open(over));
    clock_look();
}

/* Whether the timer is armed. */
static bool
armed(void)
{
    struct itimerspec left;

    CHECK(timerfd_gettime(timer_fd, &left) == 0);
    return left.it_value.tv_sec != 0 || left.it_value.tv_nsec != 0;
}

/* Returns for how long the timer is armed, in minutes, rounded. */
static int64_t
armed_minutes(void)
{
    struct itimerspec left;

    CHECK(timerfd_gettime(timer_fd, &left) == 0);
    return (left.it_value.tv_sec + 30) / 60;
}

static void
test_order(void)
{
    struct deadline first, second, other;

    deadline_init(&first);
    deadline_init(&second);
    deadline_init(&other);
    deadline_set(DEADLINE_REPLY, 10);
    deadline_set(DEADLINE_EXIT, 5);
    clock_turn_ns = 100;
    deadline_start(&first, DEADLINE_REPLY);
    CHECK(deadline_is_set(&first) && !deadline_is_set(&second));
    CHECK(deadline_over(DEADLINE_REPLY) == NULL && !deadlines_none(DEADLINE_REPLY));
    CHECK(deadlines_none(DEADLINE_EXIT));
    clock_turn_ns = 105;
    deadline_start(&second, DEADLINE_REPLY);
    deadline_start(&other, DEADLINE_EXIT);
    clock_turn_ns = 109;
    CHECK(deadline_over(DEADLINE_REPLY) == NULL && deadline_over(DEADLINE_EXIT) == NULL);
    clock_turn_ns = 110;
    CHECK(deadline_over(DEADLINE_REPLY) == &first && deadline_over(DEADLINE_EXIT) == &other);
    CHECK(deadline_over(DEADLINE_REPLY) == &first); /* it stays set */
    deadline_start(&first, DEADLINE_REPLY);         /* anew: after the second */
    CHECK(deadline_over(DEADLINE_REPLY) == NULL);
    clock_turn_ns = 200;
    CHECK(deadline_over(DEADLINE_REPLY) == &second);
    deadline_stop(&second);
    CHECK(!deadline_is_set(&second) && deadline_over(DEADLINE_REPLY) == &first);
    deadline_stop(&second); /* again does nothing */
    deadline_stop(&first);
    deadline_start(&first, DEADLINE_EXIT); /* of another kind now */
    CHECK(deadlines_none(DEADLINE_REPLY) && !deadlines_none(DEADLINE_EXIT));
    deadline_stop(&other);
    deadline_stop(&first);
    CHECK(deadlines_none(DEADLINE_EXIT));
}

/* Deadlines of one kind with times of their own: the earliest is first; of the same time, the one
 * that was started first. */
static void
test_own_times(void)
{
    static const int64_t times_ns[] = {30, 10, 20, 10, 40, 5};
    static const size_t order[] = {5, 1, 3, 2, 4, 0};
    struct deadline deadlines[6];

    clock_turn_ns = 100;
    for (size_t i = 0; i < 6; i++) {
        deadline_init(&deadlines[i]);
        deadline_start_for(&deadlines[i], DEADLINE_JOB, times_ns[i]);
    }
    CHECK(deadlines_none(DEADLINE_REPLY) && deadline_over(DEADLINE_JOB) == NULL);
    clock_turn_ns = 104;
    CHECK(deadline_over(DEADLINE_JOB) == NULL);
    deadline_start_for(&deadlines[0], DEADLINE_JOB, 96); /* anew: to the end */
    for (size_t i = 0; i < 6; i++) {
        clock_turn_ns = deadlines[order[i]].at_ns;
        CHECK(deadline_over(DEADLINE_JOB) == &deadlines[order[i]]);
        deadline_stop(&deadlines[order[i]]);
    }
    CHECK(clock_turn_ns == 200 && deadlines_none(DEADLINE_JOB));
}

static void
test_timer(void)
{
    const int64_t minute_ns = 60 * NS_PER_S;
    struct deadline soon, late;

    deadline_init(&soon);
    deadline_init(&late);
    deadline_set(DEADLINE_REPLY, 10 * minute_ns);
    deadline_set(DEADLINE_START, 100 * minute_ns);
    clock_look();
    deadlines_arm();
    CHECK(!armed());
    deadline_start(&late, DEADLINE_START);
    CHECK(!armed()); /* only at the end of the turn */
    deadlines_arm();
    CHECK_NUMBER(armed_minutes(), 100);
    deadline_start(&soon, DEADLINE_REPLY);
    deadlines_arm();
    CHECK_NUMBER(armed_minutes(), 10);
    deadline_stop(&soon);
    deadlines_arm();
    CHECK_NUMBER(armed_minutes(), 10); /* a timer that is too early is left alone */
    deadline_stop(&late);
    deadlines_arm();
    CHECK(!armed());
}

/* The timer expires in time, and once. */
static void
test_expiry(void)
{
    struct deadline deadline;

    deadline_init(&deadline);
    deadline_set(DEADLINE_STOP, NS_PER_MS);
    clock_look();
    deadline_start(&deadline, DEADLINE_STOP);
    deadlines_arm();
    int64_t at_ns = clock_turn_ns + NS_PER_MS;
    CHECK(sources_wait(60000));
    CHECK_NUMBER(over_calls, 1);
    CHECK(clock_turn_ns >= at_ns && deadline_over(DEADLINE_STOP) == &deadline);
    CHECK(sources_wait(0));
    CHECK_NUMBER(over_calls, 1);
    CHECK(!armed());
    deadlines_arm(); /* it was not stopped: armed again, for what is over */
    CHECK(sources_wait(60000));
    CHECK_NUMBER(over_calls, 2);
    deadline_stop(&deadline);
}

static void
test_retry(void)
{
    int64_t delay_ns = 100 * NS_PER_MS;

    clock_turn_ns = 100;
    CHECK(deadlines_none(DEADLINE_RETRY));
    retry_later();
    clock_turn_ns = delay_ns;
    retry_later(); /* does not put it off */
    CHECK(!retry_is_due());
    clock_turn_ns = 100 + delay_ns;
    CHECK(retry_is_due());
    CHECK(!retry_is_due());
    CHECK(deadlines_none(DEADLINE_RETRY));
}

int
main(void)
{
    open_deadlines();
    test_order();
    test_own_times();
    test_timer();
    test_expiry();
    test_retry();
    deadlines_close();
    sources_close();
    return checks_failed();
}

/* lib/watchdog.h: which drivers are asked and when, and which are killed. The driver is this
 * test. */
#include "lib/watchdog.h"
#include "lib/answer.h"
#include "lib/clock.h"
#include "lib/options.h"

#include "driver.h"

#include <fcntl.h>

static int null_fd;

/* A kept driver that is up. */
static void
begin_driver(void)
{
    driver_begin(0);
    driver.kept = true;
}

/* The watchdog's time is over, that much later than it should be. */
static void
pass_interval(int64_t late_ns)
{
    CHECK(deadline_over(DEADLINE_WATCH) == NULL);
    clock_turn_ns += options.watchdog_ns + late_ns;
    CHECK(deadline_over(DEADLINE_WATCH) != NULL);
    dup2(null_fd, STDERR_FILENO); /* where it would log whom it kills */
    watchdog_over();
    dup2(stderr_fd, STDERR_FILENO);
    if (fleet_unsent() != NULL)
        driver_flush(&driver);
}

/* How many questions have come to the other end; they are all STATUS. */
static int
asked(void)
{
    struct proto_header header;
    int count = 0;

    while (recv(other_end, &header, sizeof(header), 0) == sizeof(header)) {
        CHECK(header.type == PROTO_STATUS && header.length == 0);
        count++;
    }
    return count;
}

/* The other end answers the next question, which the server does not read yet. */
static void
answer(void)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_STATE, driver.answered_id + 1),
    };

    CHECK(send(other_end, &frame, proto_size(&frame), 0) == (ssize_t)proto_size(&frame));
}

static void
test_answers(void)
{
    begin_driver();
    for (int i = 0; i < 3; i++) {
        pass_interval(0);
        CHECK_NUMBER(asked(), 1);
        answer();
        if (i != 1) /* then it has answered in time, and the server comes late */
            driver_receive(&driver);
    }
    CHECK(driver.end == END_UNASKED && driver.sent_id == 3);
    driver_end();
}

static void
test_silent(void)
{
    begin_driver();
    pass_interval(0);
    CHECK_NUMBER(asked(), 1);
    pass_interval(0);
    CHECK(driver.end == END_CONDEMNED && driver.source.fd < 0);
    driver_end();
}

/* A driver that owes an answer anyway is not asked, and is killed if it does not give that one. */
static void
test_owing(void)
{
    begin_driver();
    driver_call(&driver, call_new(NULL, &question_status));
    driver_flush(&driver);
    CHECK_NUMBER(asked(), 1);
    pass_interval(0);
    CHECK(asked() == 0 && driver.end == END_UNASKED);
    pass_interval(0);
    CHECK(driver.end == END_CONDEMNED);
    driver_end();
}

/* If the server was stopped, perhaps the driver was, too. */
static void
test_late(void)
{
    begin_driver();
    pass_interval(0);
    CHECK_NUMBER(asked(), 1);
    pass_interval(NS_PER_S);
    CHECK(asked() == 0 && driver.end == END_UNASKED);
    pass_interval(0);
    CHECK(driver.end == END_CONDEMNED);
    driver_end();
}

static void
test_not_kept(void)
{
    begin_driver();
    driver.kept = false;
    for (int i = 0; i < 3; i++)
        pass_interval(0);
    CHECK(asked() == 0 && driver.end == END_UNASKED);
    driver_end();
}

static void
over(void)
{
}

int
main(void)
{
    null_fd = open("/dev/null", O_WRONLY);
    stderr_fd = dup(STDERR_FILENO);
    CHECK(sources_open() && deadlines_open(over) && fleet_open() && calls_open());
    clock_look();
    watchdog_open();
    CHECK(deadlines_none(DEADLINE_WATCH)); /* there is no --watchdog */
    options.watchdog = "2";
    options.watchdog_ns = 2 * NS_PER_S;
    watchdog_open();
    CHECK(deadlines_none(DEADLINE_WATCH)); /* there is no --drivers */
    options.drivers = 1;
    watchdog_open();
    test_answers();
    test_silent();
    test_owing();
    test_late();
    test_not_kept();
    return checks_failed();
}

/* lib/keeper.h: when it replaces drivers, and when it gives up. No driver is ever started here. */
#include "lib/keeper.h"
#include "lib/clients.h"
#include "lib/clock.h"
#include "lib/options.h"
#include "lib/phase.h"

#include "check.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static int null_fd, stderr_fd, input[2];

/* A keeper that has just begun, and an input that is open. */
static void
begin(void)
{
    keeper_open();
    CHECK(pipe(input) == 0);
    console.in = (struct stream){.fd = input[0], .kind = STREAM_OWN};
    console.input_state = INPUT_OPEN;
}

/* After that time, a kept driver was reaped, which had come up or not. */
static void
ends_after(int64_t seconds, bool said_hello, enum driver_end end)
{
    struct driver driver = {.kept = true, .said_hello = said_hello, .end = end};

    clock_turn_ns += seconds * NS_PER_S;
    driver.started_ns = clock_turn_ns;
    keeper_replace();             /* the last delay is over */
    dup2(null_fd, STDERR_FILENO); /* where it would log that it gives up */
    keeper_ended(&driver);
    dup2(stderr_fd, STDERR_FILENO);
}

static bool
has_given_up(void)
{
    return !keeper_is_trying() && !keeper_all_up();
}

/* Only drivers that were told to exit are not replaced. */
static void
test_replaces(void)
{
    options.drivers = 0;
    begin();
    ends_after(1, true, END_ASKED);
    ends_after(1, true, END_SENT);
    CHECK(keeper_all_up() && !keeper_is_trying());
    ends_after(1, true, END_UNASKED);
    CHECK(!keeper_all_up() && keeper_is_trying() && !keeper_can_start()); /* it died young */
}

/* One that was killed for what it did is replaced as well. */
static void
test_replaces_condemned(void)
{
    options.drivers = 0;
    begin();
    ends_after(1, true, END_CONDEMNED);
    CHECK(keeper_is_trying());
}

/* The delay doubles, up to five seconds. */
static void
test_delays(void)
{
    static const int delays_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};

    begin();
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
        ends_after(0, false, END_UNASKED);
        clock_turn_ns += delays_ms[i] * NS_PER_MS - 1;
        CHECK(deadline_over(DEADLINE_REPLACE) == NULL);
        clock_turn_ns++;
        CHECK(deadline_over(DEADLINE_REPLACE) != NULL);
    }
}

/* Tries for ten seconds, in which the input was open or not. */
static void
test_gives_up(void)
{
    begin();
    close(input[1]);
    ends_after(9, false, END_UNASKED);
    CHECK(keeper_is_trying() && phase_exit_status() == EXIT_SUCCESS);
    ends_after(1, false, END_UNASKED);
    CHECK(has_given_up() && !keeper_can_start() && phase_exit_status() == EXIT_FAILURE);
    CHECK(!phase_stopping());
    ends_after(1, false, END_UNASKED);
    CHECK(has_given_up());
}

/* The time counts from the last driver that was up. */
static void
test_was_up(void)
{
    begin();
    close(input[1]);
    ends_after(9, true, END_UNASKED);
    ends_after(9, false, END_UNASKED);
    CHECK(keeper_is_trying());
    ends_after(1, false, END_UNASKED);
    CHECK(has_given_up());
}

/* Another driver is up. */
static void
test_is_up(void)
{
    struct driver driver = {.pid = 4711, .source.fd = -1};

    begin();
    close(input[1]);
    driver_init(&driver);
    fleet_add(&driver);
    driver_greet(&driver);
    ends_after(100, false, END_UNASKED);
    CHECK(keeper_is_trying());
    driver_unlist(&driver);
    ends_after(0, false, END_UNASKED);
    CHECK(has_given_up());
    fleet_remove(&driver);
    list_remove(&driver.by_age);
}

/* As long as somebody may give commands, it goes on. The input ends in one of several ways. */
static void
check_goes_on_until(void (*input_ends)(void))
{
    begin();
    CHECK(write(input[1], "run", 3) == 3);
    ends_after(100, false, END_UNASKED);
    CHECK(keeper_is_trying());
    input_ends();
    options.listen_path = "taxi.sock";
    ends_after(1, false, END_UNASKED);
    CHECK(keeper_is_trying());
    options.listen_path = NULL;
    ends_after(1, false, END_UNASKED);
    CHECK(has_given_up());
}

static void
input_was_read(void)
{
    console.input_state = INPUT_ENDED;
}

static void
input_is_file(void)
{
    console.in.kind = STREAM_FILE;
}

/* Although not everything has been read. */
static void
input_hangs_up(void)
{
    close(input[1]);
}

static void
test_input_read(void)
{
    check_goes_on_until(input_was_read);
}

static void
test_input_file(void)
{
    check_goes_on_until(input_is_file);
}

static void
test_input_closed(void)
{
    check_goes_on_until(input_hangs_up);
}

static void
over(void)
{
}

/* The keeper begins only once, so each test is a process of its own. */
static void
test(void (*run)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        run();
        exit(checks_failed());
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

int
main(void)
{
    null_fd = open("/dev/null", O_WRONLY);
    stderr_fd = dup(STDERR_FILENO);
    options.drivers = 1;
    CHECK(sources_open() && deadlines_open(over) && fleet_open());
    clock_look();
    clients_open();
    client_init(&console, NULL);
    test(test_replaces);
    test(test_replaces_condemned);
    test(test_delays);
    test(test_gives_up);
    test(test_was_up);
    test(test_is_up);
    test(test_input_read);
    test(test_input_file);
    test(test_input_closed);
    return checks_failed();
}

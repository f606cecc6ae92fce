/* lib/phase.h: the server's life goes forward only. */
#include "lib/phase.h"

#include "check.h"

static int stops; /* calls of stop() */

/* The phase has changed already when this is called. */
static void
stop(bool first)
{
    CHECK(first == (stops == 0));
    stops++;
    CHECK(phase_stopping());
}

/* The phase, as the letters of what holds in it. */
static const char *
phase_letters(void)
{
    static char text[8];

    snprintf(text, sizeof(text), "%s%s%s%s", phase_warming() ? "W" : "", phase_ready() ? "R" : "",
             phase_stopping() ? "S" : "", phase_overdue() ? "O" : "");
    return text;
}

static void
test_forward(void)
{
    CHECK_STRING(phase_letters(), "W");
    CHECK(!phase_reach(PHASE_WARMING)); /* was reached with the start */
    CHECK(phase_reach(PHASE_RUNNING));
    CHECK(!phase_reach(PHASE_RUNNING));
    CHECK_STRING(phase_letters(), "");
    CHECK(!phase_reach(PHASE_WARMING));
    CHECK_STRING(phase_letters(), "");
    CHECK(phase_reach(PHASE_READY));
    CHECK_STRING(phase_letters(), "R");
    CHECK(!phase_reach(PHASE_RUNNING));
    CHECK_STRING(phase_letters(), "R");
}

static void
test_stop(void)
{
    phase_stop(false);
    CHECK_STRING(phase_letters(), "RS");
    CHECK_NUMBER(stops, 1);
    CHECK(!phase_reach(PHASE_READY));
    CHECK_STRING(phase_letters(), "RS");
    phase_fail(); /* is no second stop, but the status is a failure */
    CHECK_NUMBER(stops, 1);
    CHECK_STRING(phase_letters(), "RS");
    CHECK_NUMBER(phase_exit_status(), EXIT_FAILURE);
    phase_stop(false); /* nor is this one */
    CHECK_NUMBER(stops, 1);
    CHECK_STRING(phase_letters(), "RS");
    phase_stop(true);
    CHECK_STRING(phase_letters(), "RSO");
    CHECK_NUMBER(stops, 2);
    phase_stop(false);
    CHECK_NUMBER(stops, 2);
    phase_stop(true);
    CHECK_STRING(phase_letters(), "RSO");
    CHECK_NUMBER(stops, 3); /* kills again what is left */
    for (enum phase phase = PHASE_WARMING; phase <= PHASE_OVERDUE; phase++)
        CHECK(!phase_reach(phase));
    CHECK_STRING(phase_letters(), "RSO");
}

/* Other lives, each in a process of its own: one is stopped at once, one fails, one goes on, in one a
 * job failed. */
static void
test_other_life(const char *way)
{
    if (strcmp(way, "at_once") == 0) {
        phase_stop(true);
        CHECK_STRING(phase_letters(), "RSO"); /* what is over is also ready and stopping */
        CHECK_NUMBER(phase_exit_status(), EXIT_SUCCESS);
    } else if (strcmp(way, "goes_on") == 0) {
        phase_set_failed();
        CHECK_STRING(phase_letters(), "W");
        CHECK_NUMBER(stops, 0);
        CHECK_NUMBER(phase_exit_status(), EXIT_FAILURE);
    } else if (strcmp(way, "job") == 0) {
        phase_job_failed();
        CHECK_STRING(phase_letters(), "W");
        CHECK_NUMBER(stops, 0);
        CHECK_NUMBER(phase_exit_status(), 4);
        phase_set_failed(); /* which is worse */
        phase_job_failed();
        CHECK_NUMBER(phase_exit_status(), EXIT_FAILURE);
    } else {
        phase_fail();
        CHECK_STRING(phase_letters(), "RS");
        CHECK_NUMBER(stops, 1);
        CHECK_NUMBER(phase_exit_status(), EXIT_FAILURE);
    }
}

int
main(int argc, char **argv)
{
    char command[4096];

    phase_open(stop);
    if (argc > 1) {
        test_other_life(argv[1]);
        return checks_failed();
    }
    CHECK_NUMBER(phase_exit_status(), EXIT_SUCCESS);
    test_forward();
    test_stop();
    snprintf(command, sizeof(command), "%s at_once && %s fails && %s goes_on && %s job", argv[0],
             argv[0], argv[0], argv[0]);
    CHECK_NUMBER(system(command), 0);
    return checks_failed();
}

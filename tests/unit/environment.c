/* lib/environment.h: which variables drivers get. */
#include "lib/environment.h"

#include "check.h"

enum {
    MANY = 200000,
};

/* The environment that is made of own and the values of --env, each a list that ends with NULL: its
 * variables, with a blank after each. Those that each job has of its own are there, with no value,
 * and are left out of the list. */
static const char *
made(char *const *own, bool clean, const char **wanted)
{
    static char text[1024];
    struct environment_choice choice = {.clean = clean, .wanted = wanted};

    while (wanted != NULL && wanted[choice.wanted_count] != NULL)
        choice.wanted_count++;
    char **environment = environment_make(own, &choice);
    unsigned of_job = 0;
    text[0] = '\0';
    for (char **variable = environment; *variable != NULL; variable++) {
        if (strcmp(*variable, "TAXI_JOB=") == 0 || strcmp(*variable, "TAXI_SLOT=") == 0) {
            of_job++;
            continue;
        }
        strcat(text, *variable);
        strcat(text, " ");
    }
    CHECK_NUMBER(of_job, 2);
    free(environment);
    return text;
}

#define OWN(...)             ((char *[]){__VA_ARGS__, NULL})
#define MADE(own, ...)       made((own), false, (const char *[]){__VA_ARGS__, NULL})
#define MADE_CLEAN(own, ...) made((own), true, (const char *[]){__VA_ARGS__, NULL})

static void
test_inherited(void)
{
    char *own[] = {"B=2", "A=1", "PATH=/bin", "E=", "EQ=a=b", "INVOCATION_ID=1", NULL};

    CHECK_STRING(MADE(own, NULL), "A=1 B=2 E= EQ=a=b INVOCATION_ID=1 PATH=/bin ");
    CHECK_STRING(MADE(own + 6, NULL), "");
    CHECK_STRING(MADE(OWN("NOTIFY_SOCKET=/s", "LISTEN_FDS=1", "WATCHDOG_PID=7"), NULL), "");
    CHECK_STRING(MADE(OWN("LISTEN_=1", "WATCHDOG_=2", "NOTIFY_SOCKETS=3", "LISTEN=4", "WATCHDOG=5",
                          "XNOTIFY_SOCKET=6", "NOTIFY=7"),
                      NULL),
                 "LISTEN=4 NOTIFY=7 NOTIFY_SOCKETS=3 WATCHDOG=5 XNOTIFY_SOCKET=6 ");
}

static void
test_clean(void)
{
    char *basic[] = {"HOME=1",  "LANG=2", "LANGUAGE=3", "LC_=4", "LC_ALL=5", "LOGNAME=6", "PATH=7",
                     "SHELL=8", "TERM=9", "TMPDIR=10",  "TZ=11", "USER=12",  NULL};

    CHECK_STRING(MADE_CLEAN(basic, NULL), "HOME=1 LANG=2 LANGUAGE=3 LC_=4 LC_ALL=5 LOGNAME=6 "
                                          "PATH=7 SHELL=8 TERM=9 TMPDIR=10 TZ=11 USER=12 ");
    CHECK_STRING(
        MADE_CLEAN(OWN("HOMES=1", "HOM=2", "XHOME=3", "LC=4", "NOTIFY_SOCKET=5", "PWD=6"), NULL),
        "");
}

static void
test_wanted(void)
{
    char **own = OWN("A=1", "AB=2", "B=3", "ABC=4", "NOTIFY_SOCKET=5", "LISTEN_FDS=6");

    CHECK_STRING(MADE_CLEAN(own, "AB"), "AB=2 ");
    CHECK_STRING(MADE_CLEAN(own, "C", "A", "A"), "A=1 ");
    CHECK_STRING(MADE_CLEAN(own, "AB*"), "AB=2 ABC=4 ");
    CHECK_STRING(MADE_CLEAN(own, "*"), "A=1 AB=2 ABC=4 B=3 LISTEN_FDS=6 NOTIFY_SOCKET=5 ");
    CHECK_STRING(MADE_CLEAN(own, "C=7", "PATH="), "C=7 PATH= ");
    CHECK_STRING(MADE_CLEAN(own, "A*=7"), "A*=7 "); /* a name like any other */
    CHECK_STRING(MADE(own, "NOTIFY_SOCKET"), "A=1 AB=2 ABC=4 B=3 NOTIFY_SOCKET=5 ");
    CHECK_STRING(MADE(own, "LISTEN_*", "B=9"), "A=1 AB=2 ABC=4 B=9 LISTEN_FDS=6 ");
    CHECK_STRING(MADE(own, "LISTEN_PID=9"), "A=1 AB=2 ABC=4 B=3 LISTEN_PID=9 ");
}

/* Of a name that comes more than once, the last --env counts, else the first of our own. */
static void
test_same_name(void)
{
    char **own = OWN("A=1", "B=2", "A=3", "A=4");

    CHECK_STRING(MADE(own, NULL), "A=1 B=2 ");
    CHECK_STRING(MADE(own, "A"), "A=1 B=2 ");
    CHECK_STRING(MADE(own, "*"), "A=1 B=2 ");
    CHECK_STRING(MADE(own, "A=5", "A=6"), "A=6 B=2 ");
    CHECK_STRING(MADE(own, "A=5", "A"), "A=1 B=2 ");
    CHECK_STRING(MADE(own, "A=5", "A*"), "A=1 B=2 ");
    CHECK_STRING(MADE(own, "A=*"), "A=* B=2 "); /* sets A; does not pass what begins so */
    CHECK_STRING(MADE(own, "A", "A*", "A=5", "B"), "A=5 B=2 ");
    CHECK_STRING(MADE(own, "C=5", "C"), "A=1 B=2 C=5 ");   /* we have no C to pass */
    CHECK_STRING(MADE(OWN("A", "A=1", "B"), "B"), "A=1 "); /* what has no '=' is no variable */
}

/* A value that another server, or --env, has set for a job is not passed on to our jobs. */
static void
test_of_job(void)
{
    char **own = OWN("A=1", "TAXI_JOB=7", "TAXI_JOBS=8", "TAXI_SLOT=9", "TAXI_SOCKET=s");

    CHECK_STRING(MADE(own, NULL), "A=1 TAXI_JOBS=8 TAXI_SOCKET=s ");
    CHECK_STRING(MADE_CLEAN(own, NULL), "");
    CHECK_STRING(MADE(own, "TAXI_JOB", "TAXI_*"), "A=1 TAXI_JOBS=8 TAXI_SOCKET=s ");
    CHECK_STRING(MADE_CLEAN(own, "TAXI_JOB=10", "TAXI_SLOT=11", "B=2"), "B=2 ");
}

static void
test_valid(void)
{
    static const char *const valid[] = {"A", "A=", "A=1", "A==", "A*", "*", "A*B=1", "a b", "A=*b"};
    static const char *const invalid[] = {"", "=", "=A", "A*B", "**", "*A"};

    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        CHECK(environment_want_valid(valid[i]));
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        CHECK(!environment_want_valid(invalid[i]));
}

/* Our own is as it was; the strings are not copied; and there may be more than any system allows. */
static void
test_many(void)
{
    static char texts[MANY][16], *own[MANY + 1];
    const char *wanted[] = {"N000000=x"};
    struct environment_choice choice = {.wanted = wanted, .wanted_count = 1};

    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof(texts[i]), "N%06zu=%zu", (MANY - i) / 2, i % 10);
        own[i] = texts[i];
    }
    char **environment = environment_make(own, &choice);
    CHECK(environment[0] == wanted[0]);
    CHECK(environment[1] == own[MANY - 3]); /* the first of two that have its name */
    CHECK(environment[MANY / 2] == own[0]);
    CHECK_STRING(environment[MANY / 2 + 1], "TAXI_JOB=");
    CHECK_STRING(environment[MANY / 2 + 2], "TAXI_SLOT=");
    CHECK(environment[MANY / 2 + 3] == NULL);
    for (size_t i = 0; i < MANY; i++)
        CHECK(own[i] == texts[i]);
    free(environment);
}

static void
test_no_memory(void)
{
    char *own[] = {"A=1", NULL};
    struct environment_choice choice = {.clean = false};

    setenv("FAULT", "calloc:ENOMEM:1", 1); /* see tests/faults/inject.c */
    CHECK(environment_make(own, &choice) == NULL);
    setenv("FAULT", "calloc:ENOMEM:4", 1); /* the second of that call */
    CHECK(environment_make(own, &choice) == NULL);
    unsetenv("FAULT");
}

int
main(void)
{
    test_inherited();
    test_clean();
    test_wanted();
    test_same_name();
    test_of_job();
    test_valid();
    test_many();
    test_no_memory();
    return checks_failed();
}

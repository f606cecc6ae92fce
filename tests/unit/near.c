/* lib/near.h: which word somebody has mistyped. */
#include "lib/near.h"

#include "check.h"

/* Returns the word that is nearest, of some of the server's own, or "" if none is near. */
static const char *
nearest(const char *typed)
{
    static const char *const words[] = {
        "create_driver", "run",  "get_drivers", "wait_job", "wait",   "stats",
        "quit",          "exit", "help",        "get_jobs", "resume",
    };
    struct near near = {.typed = {typed, strlen(typed)}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        near_try(&near, words[i]);
    return near.word != NULL ? near.word : "";
}

static void
test_one_mistake(void)
{
    CHECK_STRING(nearest("creat_driver"), "create_driver");
    CHECK_STRING(nearest("creaate_driver"), "create_driver");
    CHECK_STRING(nearest("create-driver"), "create_driver");
    CHECK_STRING(nearest("craete_driver"), "create_driver");
    CHECK_STRING(nearest("reate_driver"), "create_driver");
    CHECK_STRING(nearest("create_driver2"), "create_driver");
    CHECK_STRING(nearest("rnu"), "run");
    CHECK_STRING(nearest("ru"), "run");
    CHECK_STRING(nearest("halp"), "help");
}

static void
test_two_mistakes(void)
{
    CHECK_STRING(nearest("creatdriver"), "create_driver");
    CHECK_STRING(nearest("get-driver"), "get_drivers");
    CHECK_STRING(nearest("gte_dirvers"), "get_drivers");
    CHECK_STRING(nearest("rezumes"), "resume");
    CHECK_STRING(nearest("hlap"), ""); /* a short word has one mistake */
    CHECK_STRING(nearest("stataa"), "");
    CHECK_STRING(nearest("create_driver..."), "");
}

static void
test_nearest(void)
{
    CHECK_STRING(nearest("waits"), "wait");
    CHECK_STRING(nearest("get_job"), "get_jobs");
    CHECK_STRING(nearest("waitt_job"), "wait_job");
    CHECK_STRING(nearest("wat_jobs"), "wait_job"); /* two mistakes, get_jobs has two as well */
}

static void
test_not_near(void)
{
    CHECK_STRING(nearest("run"), "");
    CHECK_STRING(nearest("fly"), "");
    CHECK_STRING(nearest(""), "");
    CHECK_STRING(nearest("x"), "");
    CHECK_STRING(nearest("CREATE_DRIVER"), "");
}

/* The typed word is a part of a buffer: what follows it does not count, and is not read. */
static void
test_span(void)
{
    struct near near = {.typed = {"rum", 2}};

    near_try(&near, "run");
    CHECK_STRING(near.word != NULL ? near.word : "", "run");
    CHECK_NUMBER(near.mistakes, 1);
}

int
main(void)
{
    test_one_mistake();
    test_two_mistakes();
    test_nearest();
    test_not_near();
    test_span();
    return checks_failed();
}

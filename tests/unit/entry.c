/* lib/entry.h: lines of the log of jobs, as text and in JSON. */
#include "lib/entry.h"

#include "check.h"

#define TIME "2026-01-31T23:59:59.123Z"

static struct entry entry;
static char line[1024];

static bool
parse(const char *text, bool json)
{
    size_t size = strlen(text);

    memcpy(line, text, size + 1);
    return json ? entry_parse_json(line, size, &entry) : entry_parse(line, size, &entry);
}

static void
check_entry(const char *text, bool json, enum job_step step, uint64_t ms, const char *command,
            int at)
{
    check_true(parse(text, json), text, __FILE__, at);
    check_number(entry.step, step, __FILE__, at);
    check_number(entry.ms, ms, __FILE__, at);
    check_bytes(entry.command.at, entry.command.size, command, __FILE__, at);
}

static void
test_steps(void)
{
    check_entry(TIME "\t17\tWaiting\tany\t50.000\t-\tmake test", false, STEP_WAITING, 50000,
                "make test", __LINE__);
    CHECK_NUMBER(entry.number, 17);
    CHECK(!entry.submitted && entry.driver == 0);
    check_entry(TIME "\t1\tWaiting\t-\t0.250\t-\ttrue", false, STEP_WAITING, 250, "true", __LINE__);
    CHECK(entry.submitted);
    check_entry(TIME "\t1\tWaiting\t4711\t1.000\t-\ttrue", false, STEP_WAITING, 1000, "true",
                __LINE__);
    CHECK(!entry.submitted && entry.driver == 4711);
    check_entry(TIME "\t1\tWaiting\tany\t1.000\texit 3\ttrue", false, STEP_WAITING, 1000, "true",
                __LINE__);
    CHECK(entry.again && entry.result.value == 3 && !entry.first);
    check_entry(TIME "\t1\tWaiting\tany\t1.000\tfirst\ttrue", false, STEP_WAITING, 1000, "true",
                __LINE__);
    CHECK(entry.first && !entry.again);
    CHECK(!parse(TIME "\t1\tDone\t4711\t0.000\tfirst\ttrue", false));
    check_entry(TIME "\t18\tWaiting\t-\t1.000\twas 17\ttrue", false, STEP_WAITING, 1000, "true",
                __LINE__);
    CHECK(entry.number == 18 && entry.was == 17 && !entry.again && !entry.first);
    check_entry(TIME "\t18\tWaiting\t-\t1.000\twas 17 signal 9\ttrue", false, STEP_WAITING, 1000,
                "true", __LINE__);
    CHECK(entry.was == 17 && entry.again && entry.result.value == 9);
    for (const char *const *word =
             (const char *const[]){"was ", "was 0", "was x", "was 17 ", "was 17  exit 1",
                                   "was 17 first", "was17", "was", NULL};
         *word != NULL; word++) {
        char text[sizeof(line)];
        snprintf(text, sizeof(text), TIME "\t18\tWaiting\t-\t1.000\t%s\ttrue", *word);
        check_true(!parse(text, false), *word, __FILE__, __LINE__);
    }
    CHECK(!parse(TIME "\t1\tRunning\t4711\t-\twas 17\ttrue", false));
    check_entry(TIME "\t1\tRunning\t4711\t-\t-\ttrue", false, STEP_RUNNING, 0, "true", __LINE__);
    CHECK(entry.driver == 4711);
    check_entry(TIME "\t1\tDone\t4711\t0.000\texit 3\ttrue", false, STEP_DONE, 0, "true", __LINE__);
    CHECK(entry.result.ending == JOB_EXIT && entry.result.value == 3);
    check_entry(TIME "\t1\tDone\t-\t-\tunrun no driver\ttrue", false, STEP_DONE, 0, "true",
                __LINE__);
    CHECK(entry.result.ending == JOB_UNRUN && entry.result.reason == REASON_TEXT);
    CHECK_STRING(entry.result.why, "no driver");
}

static void
test_json(void)
{
    check_entry("{\"time\":\"" TIME
                "\",\"job\":17,\"state\":\"waiting\",\"driver\":\"any\",\"seconds\":"
                "50.000,\"command\":\"make test\"}",
                true, STEP_WAITING, 50000, "make test", __LINE__);
    CHECK(entry.number == 17 && !entry.submitted);
    check_entry("{\"time\":\"" TIME
                "\",\"job\":17,\"state\":\"waiting\",\"seconds\":5.000,\"command\":\"\"}",
                true, STEP_WAITING, 5000, "", __LINE__);
    CHECK(entry.submitted);
    check_entry("{\"time\":\"" TIME
                "\",\"job\":1,\"state\":\"running\",\"driver\":4711,\"command\":\"a\"}",
                true, STEP_RUNNING, 0, "a", __LINE__);
    CHECK(entry.driver == 4711);
    check_entry("{\"time\":\"" TIME
                "\",\"job\":1,\"state\":\"done\",\"driver\":4711,\"seconds\":0.100,"
                "\"signal\":15,\"command\":\"\\\"\\\\\\u0001\\u00ff\"}",
                true, STEP_DONE, 100, "\"\\\1\377", __LINE__);
    CHECK(entry.result.ending == JOB_SIGNAL && entry.result.value == 15);
    check_entry("{\"time\":\"" TIME
                "\",\"job\":1,\"state\":\"done\",\"driver\":4711,\"seconds\":0.100,"
                "\"lost\":\"driver 4711 died (\\\"x\\\")\",\"command\":\"a\"}",
                true, STEP_DONE, 100, "a", __LINE__);
    CHECK_STRING(entry.result.why, "driver 4711 died (\"x\")");
    check_entry("{\"time\":\"" TIME
                "\",\"job\":1,\"state\":\"done\",\"unrun\":\"no driver\",\"command\":"
                "\"a\"}",
                true, STEP_DONE, 0, "a", __LINE__);
    check_entry("{\"time\":\"" TIME
                "\",\"job\":1,\"state\":\"done\",\"driver\":1,\"seconds\":1.000,"
                "\"timeout\":true,\"command\":\"a\"}",
                true, STEP_DONE, 1000, "a", __LINE__);
    CHECK(entry.result.ending == JOB_TIMEOUT);
    check_entry("{\"time\":\"" TIME "\",\"job\":1,\"state\":\"waiting\",\"driver\":\"any\","
                "\"seconds\":1.000,\"first\":true,\"command\":\"a\"}",
                true, STEP_WAITING, 1000, "a", __LINE__);
    CHECK(entry.first && !entry.again);
    check_entry("{\"time\":\"" TIME "\",\"job\":18,\"state\":\"waiting\",\"seconds\":1.000,"
                "\"was\":17,\"exit\":3,\"command\":\"a\"}",
                true, STEP_WAITING, 1000, "a", __LINE__);
    CHECK(entry.was == 17 && entry.again && entry.result.value == 3);
    CHECK(!parse("{\"time\":\"" TIME "\",\"job\":18,\"state\":\"waiting\",\"seconds\":1.000,"
                 "\"was\":0,\"command\":\"a\"}",
                 true));
}

static void
test_escapes(void)
{
    CHECK(parse(TIME "\t1\tRunning\t1\t-\t-\t\\t\\n\\\\\\x00\\xff \303\251", false));
    CHECK_NUMBER(entry.command.size, 8);
    CHECK(memcmp(entry.command.at, "\t\n\\\0\377 \303\251", 8) == 0);
}

/* A line that is cut off anywhere, or in which any byte is another, must not be read past its end. Most
 * are malformed; those that are not differ in a digit or in the command. */
static void
test_damage(void)
{
    static const char *const lines[] = {
        TIME "\t17\tDone\t4711\t0.250\tlost driver 4711 died\tmake \\x41",
        "{\"time\":\"" TIME "\",\"job\":17,\"state\":\"done\",\"driver\":4711,\"seconds\":0.250,"
        "\"exit\":0,\"command\":\"make\\u0041\"}",
    };

    for (int json = 0; json < 2; json++) {
        size_t size = strlen(lines[json]);
        for (size_t cut = 0; cut < size; cut++) {
            char *copy = malloc(cut + 1);
            memcpy(copy, lines[json], cut);
            bool valid =
                json ? entry_parse_json(copy, cut, &entry) : entry_parse(copy, cut, &entry);
            CHECK(!valid || (!json && cut >= size - 9));
            free(copy);
        }
        for (size_t at = 0; at < size; at++) {
            memcpy(line, lines[json], size + 1);
            line[at] = '\1';
            bool valid =
                json ? entry_parse_json(line, size, &entry) : entry_parse(line, size, &entry);
            CHECK(!valid || at >= size - 13 ||
                  strchr("lost driver 4711 died", lines[json][at]) != NULL);
        }
    }
}

static void
test_malformed(void)
{
    static const char *const lines[] = {
        "",
        "\t\t\t\t\t\t",
        TIME "\t17\tDone\t4711\t0.250\texit 0",
        TIME "\t17\tDone\t4711\t0.250\texit 0\ta\tb",
        TIME "\t0\tDone\t4711\t0.250\texit 0\ta",
        TIME "\t9999999999999999\tDone\t4711\t0.250\texit 0\ta",
        TIME "\t17\tDone\t4711\t0.250\texit 256\ta",
        TIME "\t17\tDone\t4711\t0.250\texit\ta",
        TIME "\t17\tDone\t4711\t0.250\texit 0 \ta",
        TIME "\t17\tDone\t4711\t0.250\tlost\ta",
        TIME "\t17\tDone\t4711\t0.250\ttimeout 1\ta",
        TIME "\t17\tDone\t4711\t-1\texit 0\ta",
        TIME "\t17\tdone\t4711\t0.250\texit 0\ta",
        TIME "\t17\tWaiting\tany\t-\t-\ta",
        TIME "\t17\tWaiting\tany\t1.000\texit\ta",
        TIME "\t17\tRunning\tany\t-\t-\ta",
        TIME "\t17\tRunning\t-\t-\t-\ta",
        TIME "\t17\tRunning\t1\t-\t-\ta\\",
        TIME "\t17\tRunning\t1\t-\t-\ta\\x4",
        TIME "\t17\tRunning\t1\t-\t-\ta\\x4g",
        TIME "\t17\tRunning\t1\t-\t-\ta\\q",
        "{}",
        "{\"time\":\"" TIME "\",\"job\":1,\"state\":\"running\",\"command\":\"a\"}",
        "{\"time\":\"" TIME "\",\"job\":1,\"state\":\"done\",\"driver\":1,\"command\":\"a\"}",
        "{\"time\":\"" TIME
        "\",\"job\":1,\"state\":\"running\",\"driver\":1,\"command\":\"a\\u0100\"}",
        "{\"time\":\"" TIME "\",\"job\":1,\"state\":\"running\",\"driver\":1,\"command\":\"a\"} ",
        "{\"time\":\"" TIME "\",\"job\":1,\"state\":\"running\",\"driver\":1,\"command\":\"a\\\"}",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        check_true(!parse(lines[i], lines[i][0] == '{'), lines[i], __FILE__, __LINE__);
}

/* The longest command: what must not be longer when it is written again. */
static void
test_longest(void)
{
    static char text[TEXT_LOGGED_MAX + 128];
    static const char head[] = TIME "\t1\tRunning\t1\t-\t-\t";
    const size_t start = sizeof(head) - 1;

    memcpy(text, head, start);
    memset(text + start, 'x', TEXT_LOGGED_MAX + 1);
    CHECK(entry_parse(text, start + TEXT_LOGGED_MAX, &entry));
    CHECK_NUMBER(entry.command.size, TEXT_LOGGED_MAX);
    memcpy(text, head, start);
    CHECK(!entry_parse(text, start + TEXT_LOGGED_MAX + 1, &entry));
    memcpy(text, head, start);
    memset(text + start, '\1', PROTO_TEXT_MAX + 1);
    CHECK(entry_parse(text, start + PROTO_TEXT_MAX, &entry));
    memcpy(text, head, start);
    CHECK(!entry_parse(text, start + PROTO_TEXT_MAX + 1, &entry));
}

int
main(void)
{
    test_steps();
    test_json();
    test_escapes();
    test_damage();
    test_malformed();
    test_longest();
    return checks_failed();
}

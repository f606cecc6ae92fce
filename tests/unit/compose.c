/* lib/compose.h: lines of words, and with --here of other lines. */
#include "lib/compose.h"

#include "check.h"
#include "lib/options.h"

#include <unistd.h>

static struct buffer out;

static void
check_line(const char *text, size_t size, const char *wanted, int at)
{
    CHECK(buffer_prepare(&out));
    compose_line(&out, &(struct span){text, size});
    check_bytes(out.data, buffer_used(&out), wanted, __FILE__, at);
    buffer_consume(&out, buffer_used(&out));
}

#define CHECK_LINE(text, wanted) check_line(text, sizeof(text) - 1, wanted, __LINE__)
#define CD                       "cd /usr || exit 125; "

static void
lines_that_give_jobs(void)
{
    CHECK_LINE("run any 5 make", "run any 5 " CD "make\n");
    CHECK_LINE("submit 5 make", "submit 5 " CD "make\n");
    CHECK_LINE(" \trun\tany  5\t make -j4 \r", " \trun\tany  5\t " CD "make -j4 \r\n");
    CHECK_LINE("run 1 bad a", "run 1 bad " CD "a\n");
}

static void
lines_that_do_not(void)
{
    CHECK_LINE("", "\n");
    CHECK_LINE("run", "run\n");
    CHECK_LINE("run any 5", "run any 5\n");
    CHECK_LINE("run any 5 \r", "run any 5 \r\n");
    CHECK_LINE("submit 5 \t", "submit 5 \t\n");
    CHECK_LINE("runs any 5 make", "runs any 5 make\n");
    CHECK_LINE("#run any 5 make", "#run any 5 make\n");
    CHECK_LINE("send_task any 5 make it so", "send_task any 5 make it so\n");
}

static void
check_words(char *const *words, const char *wanted, int at)
{
    CHECK(buffer_prepare(&out));
    compose_words(&out, words);
    check_bytes(out.data, buffer_used(&out), wanted, __FILE__, at);
    buffer_consume(&out, buffer_used(&out));
}

#define CHECK_WORDS(wanted, ...) check_words((char *[]){__VA_ARGS__, NULL}, wanted, __LINE__)

static void
words(void)
{
    CHECK_WORDS("run any 5 a b; c", "run", "any", "5", "a b; c");
    CHECK_WORDS("run any 5 'a b' 'c;' d", "run", "any", "5", "a b", "c;", "d");
    CHECK_WORDS("run any 5 'a=b' a=b ''", "run", "any", "5", "a=b", "a=b", "");
    CHECK_WORDS("submit 5 a b", "submit", "5", "a b");
    CHECK_WORDS("submit 5 'a b' c", "submit", "5", "a b", "c");
    CHECK_WORDS("run a;", "run", "a;");
    CHECK_WORDS("get_status 1 2;", "get_status", "1", "2;");
    CHECK_WORDS("run any 5 a b;", "run any", "5", "a", "b;");
    CHECK_WORDS("", "");
}

int
main(void)
{
    CHECK(buffers_open());
    lines_that_do_not();
    words();
    options.here = true;
    CHECK(chdir("/usr") == 0);
    compose_open();
    lines_that_give_jobs();
    lines_that_do_not();
    buffers_close();
    return checks_failed();
}

/* lib/each.h: the words of a job, from a template and a name. */
#include "lib/each.h"

#include "check.h"

enum {
    WORDS_MAX = 5,
};

/* Checks the words for that name, shown with a bar at the end of each. */
static void
check_words(char *const *words, const char *name, const char *wanted, int line)
{
    struct span span = {name, strlen(name)};
    size_t wanted_size = strlen(wanted);
    char out[64];

    /* In a block of the exact size, so that a sanitizer sees what is written beyond it. */
    char *exact = malloc(wanted_size);
    check_number(each_words(words, &span, exact, wanted_size - 1), 0, __FILE__, line);
    size_t size = each_words(words, &span, exact, wanted_size);
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(exact[i] == '\0' ? '|' : exact[i]);
    check_bytes(out, size, wanted, __FILE__, line);
    free(exact);
}

#define CHECK_WORDS(name, wanted, ...)                                                             \
    check_words((char *[WORDS_MAX]){__VA_ARGS__}, name, wanted, __LINE__)

static void
test_places(void)
{
    CHECK_WORDS("a b", "gzip|-k|a b|", "gzip", "-k", "{}");
    CHECK_WORDS("a", "cp|a|b/a.c|", "cp", "{}", "b/{}.c");
    CHECK_WORDS("a", "./a|x|", "./{}", "x");
    CHECK_WORDS("a", "aaa|xaaya|", "{}{}{}", "x{}{}y{}");
    CHECK_WORDS("", "x||xy|", "x", "{}", "x{}y");
    CHECK_WORDS("x", "x|", "{}");
}

static void
test_appended(void)
{
    CHECK_WORDS("a", "gzip|-k|a|", "gzip", "-k");
    CHECK_WORDS("", "x||", "x");
    CHECK_WORDS("a", "{|}|{ }|a|", "{", "}", "{ }");
    CHECK_WORDS("a", "|a|", "");
}

/* A name is not a template, and a brace alone is a brace. */
static void
test_braces(void)
{
    CHECK_WORDS("{}", "x|{}|{}{}|", "x", "{}", "{}{}");
    CHECK_WORDS("{}", "x|{}|", "x");
    CHECK_WORDS("a", "{a}|", "{{}}");
    CHECK_WORDS("a", "{{a|}}|", "{{{}", "}}");
    CHECK_WORDS("$x'\n\377", "{$x'\n\377|", "{{}");
}

/* Three of the longest names, and too little room for them. */
static void
test_long(void)
{
    static char name[EACH_NAME_MAX], out[3 * EACH_NAME_MAX + 16];
    char *const words[] = {"cat", "{}", "{}.x", "{}", NULL};
    struct span span = {name, sizeof(name)};
    const size_t whole = 4 + 3 * (EACH_NAME_MAX + 1) + 2;

    memset(name, 'n', sizeof(name));
    CHECK_NUMBER(each_words(words, &span, out, whole), whole);
    CHECK(out[whole - 1] == '\0' && out[whole - 2] == 'n' && out[whole] == '\0');
    for (size_t room = 0; room < whole; room += 17)
        CHECK_NUMBER(each_words(words, &span, out, room), 0);
    CHECK_NUMBER(each_words(words, &span, out, whole - 1), 0);
}

int
main(void)
{
    test_places();
    test_appended();
    test_braces();
    test_long();
    return checks_failed();
}

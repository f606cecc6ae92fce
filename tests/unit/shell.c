/* lib/shell.h: words for sh. */
#include "lib/shell.h"

#include "check.h"

static void
check_quoted(const char *word, const char *first, const char *later, int at)
{
    char out[SHELL_BYTE_MAX * 64 + 2];

    check_bytes(out, shell_quote(out, word, true), first, __FILE__, at);
    check_bytes(out, shell_quote(out, word, false), later, __FILE__, at);
}

#define CHECK_QUOTED(word, first, later) check_quoted(word, first, later, __LINE__)
#define CHECK_SAME(word, both)           check_quoted(word, both, both, __LINE__)

static void
words_that_are_plain(void)
{
    CHECK_SAME("make", "make");
    CHECK_SAME("-j4", "-j4");
    CHECK_SAME("/usr/bin/env", "/usr/bin/env");
    CHECK_SAME("a%b+c,d.e:f@g_h-i", "a%b+c,d.e:f@g_h-i");
    CHECK_SAME("iffy", "iffy");
}

static void
words_that_a_command_cannot_begin_with(void)
{
    CHECK_QUOTED("A=b", "'A=b'", "A=b");
    CHECK_QUOTED("--prefix=/usr", "'--prefix=/usr'", "--prefix=/usr");
    CHECK_QUOTED("if", "'if'", "if");
    CHECK_QUOTED("time", "'time'", "time");
    CHECK_QUOTED("coproc", "'coproc'", "coproc");
    CHECK_QUOTED("while", "'while'", "while");
}

static void
words_that_are_quoted(void)
{
    static const char special[] = " \t\n\r#;\"*?[]&|<>(){}$`^~!\\\1\177\x80\xe9\xff";

    CHECK_SAME("", "''");
    CHECK_SAME("'", "''\\'''");
    CHECK_SAME("it's 'so'", "'it'\\''s '\\''so'\\'''");
    CHECK_SAME("caf\xc3\xa9", "'caf\xc3\xa9'");
    for (const char *byte = special; *byte != '\0'; byte++) {
        char word[] = {'a', *byte, '\0'}, quoted[] = {'\'', 'a', *byte, '\'', '\0'};
        CHECK_SAME(word, quoted);
    }
}

int
main(void)
{
    words_that_are_plain();
    words_that_a_command_cannot_begin_with();
    words_that_are_quoted();
    return checks_failed();
}

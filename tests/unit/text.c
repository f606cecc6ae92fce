/* lib/text.h: words, numbers and escapes, and their limits. */
#include "lib/text.h"

#include "check.h"

#include <signal.h>

/* What digits_parse() makes of a text; 77 if it refuses and leaves the value alone. */
static uint64_t
digits(const char *text, uint64_t max)
{
    uint64_t value = 77;
    bool taken = digits_parse(text, strlen(text), max, &value);

    CHECK(taken || value == 77);
    return taken ? value : 77;
}

static void
test_digits(void)
{
    CHECK_NUMBER(digits("0", 10), 0);
    CHECK_NUMBER(digits("0009", 10), 9);
    CHECK_NUMBER(digits("10", 10), 10);
    CHECK_NUMBER(digits("11", 10), 11);
    CHECK_NUMBER(digits("12", 10), 11);
    CHECK_NUMBER(digits("100", 99), 100);
    CHECK_NUMBER(digits("99999999999999999999999999", 99), 100);
    CHECK_NUMBER(digits("2147483646", INT32_MAX - 1), INT32_MAX - 1);
    CHECK_NUMBER(digits("4294967297", INT32_MAX - 1), INT32_MAX);
    CHECK_NUMBER(digits("18446744073709551616", UINT32_MAX), UINT32_MAX + UINT64_C(1));
    CHECK_NUMBER(digits("", 10), 77);
    CHECK_NUMBER(digits("-1", 10), 77);
    CHECK_NUMBER(digits("+1", 10), 77);
    CHECK_NUMBER(digits(" 1", 10), 77);
    CHECK_NUMBER(digits("1 ", 10), 77);
    CHECK_NUMBER(digits("1/", 10), 77); /* the characters beside the digits */
    CHECK_NUMBER(digits("1:", 10), 77);
    CHECK_NUMBER(digits("1\377", 10), 77);
    CHECK_NUMBER(digits("99999999999999999999999999x", 99), 77);
    uint64_t value = 0;
    CHECK(digits_parse("123", 2, 99, &value) && value == 12);
}

/* Seconds, of a minute at most, in milliseconds; 77 if they are refused. */
static uint64_t
seconds(const char *text)
{
    uint64_t value = 0;

    return seconds_parse(text, strlen(text), 60000, &value) ? value : 77;
}

static void
test_seconds(void)
{
    CHECK_NUMBER(seconds("3"), 3000);
    CHECK_NUMBER(seconds("0.25"), 250);
    CHECK_NUMBER(seconds("1.5"), 1500);
    CHECK_NUMBER(seconds("0.001"), 1);
    CHECK_NUMBER(seconds("0.010"), 10);
    CHECK_NUMBER(seconds("59.999"), 59999);
    CHECK_NUMBER(seconds("60"), 60000);
    CHECK_NUMBER(seconds("60.000"), 60000);
    CHECK_NUMBER(seconds("60.001"), 77);
    CHECK_NUMBER(seconds("61"), 77);
    CHECK_NUMBER(seconds("99999999999999999999"), 77);
    CHECK_NUMBER(seconds("0"), 77);
    CHECK_NUMBER(seconds("0.000"), 77);
    CHECK_NUMBER(seconds("0.0001"), 77);
    CHECK_NUMBER(seconds("1."), 77);
    CHECK_NUMBER(seconds(".5"), 77);
    CHECK_NUMBER(seconds("."), 77);
    CHECK_NUMBER(seconds("1.2.3"), 77);
    CHECK_NUMBER(seconds("1e1"), 77);
    CHECK_NUMBER(seconds("-1"), 77);
    CHECK_NUMBER(seconds(""), 77);
}

static void
test_numbers(void)
{
    char out[DIGITS_MAX + 1];
    uint64_t limit = 1;

    memset(out, '#', sizeof(out));
    CHECK_BYTES(out, number_put(out, 0), "0");
    CHECK(out[1] == '#');
    CHECK_BYTES(out, number_put(out, 9), "9");
    CHECK_BYTES(out, number_put(out, 10), "10");
    CHECK_BYTES(out, number_put(out, UINT64_MAX), "18446744073709551615");
    CHECK(out[DIGITS_MAX] == '#');
    for (size_t digits = 1; digits < DIGITS_MAX; digits++, limit *= 10) {
        CHECK_NUMBER(number_put(out, limit), digits);
        CHECK_NUMBER(number_put(out, limit * 10 - 1), digits);
    }
}

static void
test_append(void)
{
    char out[9] = "########";
    size_t size = text_append(out, 0, 8, "abc");

    CHECK_NUMBER(size, 3);
    CHECK_NUMBER(number_append(out, size, 8, 1234), 7);
    CHECK_STRING(out, "abc1234");
    CHECK_NUMBER(text_append(out, 7, 8, "x"), 7);
    CHECK_NUMBER(number_append(out, 3, 8, 98765), 7); /* cut, with its ending 0 */
    CHECK_STRING(out, "abc9876");
    CHECK_NUMBER(text_append(out, 0, 1, "x"), 0);
    CHECK_STRING(out, "");
    CHECK_NUMBER(text_append(out, 0, 8, ""), 0);
}

static void
check_escape(size_t room, const char *text, size_t size, const char *wanted)
{
    char out[64];

    memset(out, '#', sizeof(out));
    escape(out, room, text, size);
    CHECK_STRING(out, wanted);
    CHECK(strlen(out) < room && out[room] == '#');
}

static void
test_escape(void)
{
    check_escape(20, "a ~", 3, "a ~");
    check_escape(20, "\x1f\x7f\xff", 3, "\\x1f\\x7f\\xff");
    check_escape(20, "a\0b\n", 4, "a\\x00b\\x0a");
    check_escape(20, "\\x00", 4, "\\x00"); /* a backslash stays as it is */
    check_escape(20, "", 0, "");
    check_escape(5, "\n", 1, "\\x0a");
    check_escape(5, "ab", 2, "a"); /* cut where an escape might not fit */
    check_escape(8, "\n\n", 2, "\\x0a");
    check_escape(9, "\n\n", 2, "\\x0a\\x0a");
    check_escape(1, "a", 1, "");
    check_escape(4, "a", 1, "");
}

static void
check_json(size_t room, const char *text, const char *wanted)
{
    char out[64];

    memset(out, '#', sizeof(out));
    CHECK_BYTES(out, escape_json(out, room, text), wanted);
    CHECK_STRING(out, wanted);
    CHECK(strlen(out) < room && out[room] == '#');
}

static void
test_json(void)
{
    check_json(20, "a b'c", "a b'c");
    check_json(20, "\"\\", "\\\"\\\\");
    check_json(20, "", "");
    check_json(2 * 3 + 1, "\"\"\"", "\\\"\\\"\\\""); /* the longest that a copy becomes */
    check_json(3, "\"\"", "\\\"");
    check_json(2, "a", "");
    check_json(1, "\"", "");
}

/* The sizes of the characters from the beginning on, in digits; 0 where there is none, and the next
 * byte is tried. In memory of the exact size, so that a sanitizer sees any read past it. */
static void
check_utf8(const char *text, const char *wanted, int line)
{
    size_t size = strlen(text), count = 0;
    char sizes[32], *copy = malloc(size);

    memcpy(copy, text, size);
    for (size_t at = 0; at < size;) {
        size_t here = utf8_size(copy + at, size - at);
        CHECK(here <= size - at);
        sizes[count++] = (char)('0' + here);
        at += here > 0 ? here : 1;
    }
    check_bytes(sizes, count, wanted, __FILE__, line);
    free(copy);
}

static void
test_utf8(void)
{
    check_utf8("a~\x01\x7f", "1111", __LINE__);
    check_utf8("\u00e4\u20ac\U0001f600x", "2341", __LINE__);
    check_utf8("\xc2\x80\xdf\xbf", "22", __LINE__); /* the first and the last of each size */
    check_utf8("\xe0\xa0\x80\xef\xbf\xbf", "33", __LINE__);
    check_utf8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "44", __LINE__);
    check_utf8("\x80\xbf", "00", __LINE__);           /* not at the beginning of a character */
    check_utf8("\xc0\xaf\xc1\xbf", "0000", __LINE__); /* longer than need be */
    check_utf8("\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "0000000", __LINE__);
    check_utf8("\xed\x9f\xbf\xee\x80\x80", "33", __LINE__); /* beside the surrogates */
    check_utf8("\xed\xa0\x80\xed\xbf\xbf", "000000", __LINE__);
    check_utf8("\xf4\x90\x80\x80\xf5\x80\x80\x80\xff", "000000000", __LINE__); /* above the last */
    check_utf8("\xc3", "0", __LINE__);                                         /* cut */
    check_utf8("\xe2\x82", "00", __LINE__);
    check_utf8("\xf0\x9f\x98", "000", __LINE__);
    check_utf8("\xc3x\xe2\x82x\xf0\x9f\x98x", "010010001", __LINE__); /* by another byte */
    check_utf8("\xc3\xc3\xa4\xe2\xc3\xa4", "0202", __LINE__);
    check_utf8("\xe2\x82\xc0\xf0\x9f\xc0\x80", "0000000", __LINE__);
}

static void
test_printable(void)
{
    static const char printable[] = " ~\u00a0\u00bf\u00c0\u011b\u20ac\U0001f600";
    static const char others[] = "\x01\x1f\x7f\xc2\x80\xc2\x9b\xc2\x9f\x9b\xff\xc2";

    for (size_t at = 0, size; at < strlen(printable); at += size) {
        size = printable_size(printable + at, strlen(printable) - at);
        CHECK(size > 0);
        if (size == 0)
            return;
    }
    for (size_t at = 0; at < strlen(others); at++)
        CHECK_NUMBER(printable_size(others + at, strlen(others) - at), 0);
}

/* The words, each with a bar after it. */
static void
check_split(const char *text, size_t size, unsigned max, const char *wanted)
{
    struct span words[8], line = {text, size};
    unsigned count = line_split(&line, words, max);
    char out[64] = "";

    CHECK(count <= max);
    for (unsigned i = 0; i < count; i++) {
        strncat(out, words[i].at, words[i].size);
        strcat(out, "|");
    }
    CHECK_STRING(out, wanted);
}

static void
test_split(void)
{
    check_split("", 0, 8, "");
    check_split(" \t ", 3, 8, "");
    check_split("a", 1, 8, "a|");
    check_split("\t a \t bc  ", 10, 8, "a|bc|");
    check_split("a b c d", 7, 3, "a|b|c|");
    check_split("a b", 3, 0, "");
    check_split("ab cd", 4, 8, "ab|c|"); /* the span ends before the text does */
    check_split("a\rb\vc", 5, 8, "a\rb\vc|");
    check_split("\1\37x\377", 4, 8, "\1\37x\377|");
}

static void
check_begins(const char *text, size_t size, bool wanted)
{
    struct span line = {text, size};

    CHECK(line_begins(&line, "run") == wanted);
}

static void
test_begins(void)
{
    check_begins("run", 3, true);
    check_begins(" \t run\tx", 8, true);
    check_begins("", 0, false);
    check_begins("  ", 2, false);
    check_begins("ru", 2, false);
    check_begins("runs", 4, false);
    check_begins("x run", 5, false);
    check_begins("run", 2, false); /* the span ends before the text does */
    check_begins("runs", 3, true);
}

static void
test_words(void)
{
    struct span word = SPAN("any");

    CHECK(span_is(&word, "any"));
    CHECK(!span_is(&word, "an") && !span_is(&word, "anyx") && !span_is(&word, "anz"));
    word.size = 0;
    CHECK(span_is(&word, "") && !span_is(&word, "any"));
    CHECK_STRING(status_text(0), "exited with status 0");
    CHECK_STRING(status_text(255 << 8), "exited with status 255");
    CHECK_STRING(status_text(SIGKILL), "killed by signal 9");
    CHECK_STRING(status_text(SIGSEGV | 0x80), "killed by signal 11"); /* with a core file */
}

int
main(void)
{
    test_digits();
    test_seconds();
    test_numbers();
    test_append();
    test_escape();
    test_json();
    test_utf8();
    test_printable();
    test_begins();
    test_split();
    test_words();
    return checks_failed();
}

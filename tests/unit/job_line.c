/* lib/job_line.h: which lines need a shell, and the words of those that do not, or of jobs that are
 * words. */
#include "lib/job_line.h"

#include "check.h"

static struct job_line line;

/* The words, each with a bar after it; "sh" for a line that needs a shell. */
static void
check_line(const char *text, const char *wanted, int at)
{
    char words[64] = "";

    memset(line.words, 0x55, sizeof(line.words));
    job_line_set(&line, text, strlen(text));
    for (size_t i = 0; line.words[i] != NULL; i++)
        snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s|", line.words[i]);
    check_bytes(words[0] != '\0' ? words : "sh", words[0] != '\0' ? strlen(words) : 2, wanted,
                __FILE__, at);
    CHECK_STRING(line.text, text);
    CHECK(strcmp(line.shell[0], "sh") == 0 && strcmp(line.shell[1], "-c") == 0);
    CHECK(strcmp(line.shell[2], "--") == 0 && line.shell[3] == line.text && line.shell[4] == NULL);
}

static void
test_words(void)
{
    check_line("true", "true|", __LINE__);
    check_line("  sleep\t 5 ", "sleep|5|", __LINE__);
    check_line("/bin/echo -n a,b:c%d+e@f/.-_", "/bin/echo|-n|a,b:c%d+e@f/.-_|", __LINE__);
    check_line("env A=1", "env|A=1|", __LINE__); /* an assignment only if it is first */
    check_line("A=1 env", "sh", __LINE__);
    check_line(" =", "sh", __LINE__);
    check_line("   ", "sh", __LINE__);
}

/* Each character that means something to a shell. */
static void
test_shell(void)
{
    static const char special[] = "#;\"'*?[]&|<>(){}$`^~!\\";
    char text[] = "echo a#b";

    for (const char *at = special; *at != '\0'; at++) {
        text[6] = *at;
        check_line(text, "sh", __LINE__);
    }
    text[6] = '.';
    check_line(text, "echo|a.b|", __LINE__);
}

/* The longest line, of as many words as fit. */
static void
test_longest(void)
{
    char text[PROTO_TEXT_MAX + 1];
    size_t count = 0;

    for (size_t i = 0; i < PROTO_TEXT_MAX; i++)
        text[i] = i % 2 == 0 ? 'x' : ' ';
    text[PROTO_TEXT_MAX] = 'y'; /* not the line's */
    job_line_set(&line, text, PROTO_TEXT_MAX);
    while (line.words[count] != NULL)
        count++;
    CHECK_NUMBER(count, PROTO_TEXT_MAX / 2);
    CHECK_STRING(line.words[count - 1], "x");
    CHECK(!line.is_words);
    CHECK_NUMBER(strlen(line.text), PROTO_TEXT_MAX);
}

/* Words are what they are, and as many as there are zero bytes. */
static void
test_given_words(void)
{
    static const char text[] = "a b\0\0$x\nY=\0\377";
    static char empty[PROTO_TEXT_MAX];
    size_t count = 0;

    job_line_set_words(&line, text, sizeof(text));
    CHECK(line.is_words && line.words[4] == NULL);
    CHECK_STRING(line.words[0], "a b");
    CHECK_STRING(line.words[1], "");
    CHECK_STRING(line.words[2], "$x\nY=");
    CHECK_STRING(line.words[3], "\377");
    job_line_set_words(&line, empty, sizeof(empty));
    while (line.words[count] != NULL)
        count++;
    CHECK_NUMBER(count, JOB_WORDS_MAX);
    check_line("true", "true|", __LINE__); /* the next job is a line again */
    CHECK(!line.is_words);
}

int
main(void)
{
    test_words();
    test_shell();
    test_longest();
    test_given_words();
    return checks_failed();
}

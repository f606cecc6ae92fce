/*
 * text.h: words, numbers and escapes.
 *
 * Nothing here allocates or uses stdio. A function that takes the room at out, in bytes, ends what
 * it writes with a zero byte and leaves out what does not fit.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a buffer that somebody else owns, such as a word or a line. */
struct span {
    const char *at;
    size_t size;
};

/* The span of a string literal, as an initializer. */
#define SPAN(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

bool span_is(const struct span *span, const char *text);

/* Splits a line at blanks and tabs into at most max words, and ignores the rest of the line.
 * Returns the number of words. */
unsigned line_split(const struct span *line, struct span *words, unsigned max);

/* Whether the first word of the line is that word. */
bool line_begins(const struct span *line, const char *word);

/* Parses plain decimal digits; *value is max + 1 if the number is above max. Returns false, and
 * leaves *value unchanged, if there is no digit or anything else. */
bool digits_parse(const char *at, size_t size, uint64_t max, uint64_t *value);

/* Parses seconds such as "3" or "0.25", with at most three digits after the point, into
 * milliseconds. Returns false if the value is above max_ms or 0 (then *value_ms is that), or if the
 * text is malformed (then it is unchanged). */
bool seconds_parse(const char *at, size_t size, uint64_t max_ms, uint64_t *value_ms);

/* Writes the decimal digits of a number, without a zero byte; out has room for DIGITS_MAX. Returns
 * how many digits it wrote. */
enum {
    DIGITS_MAX = 20
};
size_t number_put(char *out, uint64_t number);

/* Append to the string at out, which has size bytes, and return its new size. */
size_t text_append(char *out, size_t size, size_t room, const char *text);
size_t number_append(char *out, size_t size, size_t room, uint64_t number);

/* Copies text, and shows each byte that is not printable ASCII as \xNN. */
void escape(char *out, size_t room, const char *text, size_t size);

/* Returns the size of the UTF-8 character at the beginning of text, in bytes, or 0 if there is
 * none, see RFC 3629. size is above 0. */
size_t utf8_size(const char *text, size_t size);

/* The same, but returns 0 also for a control character. There are some in UTF-8: terminals take
 * U+009B for ESC [. */
size_t printable_size(const char *text, size_t size);

/* Copies printable ASCII, and escapes quotes and backslashes for a JSON string. Returns the size of
 * the copy. */
size_t escape_json(char *out, size_t room, const char *text);

/* Returns a text such as "killed by signal 9" or "exited with status 3" for a status from wait(2).
 * The next call overwrites it. */
const char *status_text(int status);

#endif

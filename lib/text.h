/*
 * text.h: words and numbers, read and written, and escapes.
 *
 * Nothing here allocates or uses stdio. What writes takes the room there is, its ending 0 included,
 * and leaves out what does not fit.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of somebody else's buffer: a word, a line. */
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

/* Splits a line at blanks and tabs into at most max words and returns how many there are; the rest
 * of the line is not looked at. */
unsigned line_split(const struct span *line, struct span *words, unsigned max);

/* Parses plain decimal digits. A number above max is returned as max + 1. Returns false if it is
 * anything else; *value is then left alone. */
bool digits_parse(const char *at, size_t size, uint64_t max, uint64_t *value);

/* Parses seconds such as "3" or "0.25", with at most three digits after the point, into
 * milliseconds. Returns false if they are malformed, 0 or above max_ms. */
bool seconds_parse(const char *at, size_t size, uint64_t max_ms, uint64_t *value_ms);

/* Puts the decimal digits of a number at out, where there is room for DIGITS_MAX, without an ending
 * 0. Returns how many there are. */
enum {
    DIGITS_MAX = 20
};
size_t number_put(char *out, uint64_t number);

/* Append to the string of size bytes at out and return its new size. */
size_t text_append(char *out, size_t size, size_t room, const char *text);
size_t number_append(char *out, size_t size, size_t room, uint64_t number);

/* Copies text with each byte that is not printable ASCII shown as \xNN. */
void escape(char *out, size_t room, const char *text, size_t size);

/* Copies printable ASCII with the two characters escaped that JSON wants escaped in a string.
 * Returns the size of the copy. */
size_t escape_json(char *out, size_t room, const char *text);

/* "killed by signal 9", "exited with status 3": of a status from wait(2). The text is static. */
const char *status_text(int status);

#endif

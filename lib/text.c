#include "text.h"

#include <string.h>
#include <sys/wait.h>

bool
span_is(const struct span *span, const char *text)
{
    return span->size == strlen(text) && memcmp(span->at, text, span->size) == 0;
}

/* Most bytes are above both, so that one comparison is enough for them. */
static bool
is_blank(char byte)
{
    return byte <= ' ' && (byte == ' ' || byte == '\t');
}

unsigned
line_split(const struct span *line, struct span *words, unsigned max)
{
    const char *at = line->at, *end = line->at + line->size;
    unsigned count = 0;

    while (count < max) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end)
            break;
        words[count].at = at;
        do
            at++;
        while (at < end && !is_blank(*at));
        words[count].size = (size_t)(at - words[count].at);
        count++;
    }
    return count;
}

bool
line_begins(const struct span *line, const char *word)
{
    const char *at = line->at, *end = line->at + line->size;
    size_t size = strlen(word);

    while (at < end && is_blank(*at))
        at++;
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 &&
           (at + size == end || is_blank(at[size]));
}

bool
digits_parse(const char *at, size_t size, uint64_t max, uint64_t *value)
{
    uint64_t number = 0;

    if (size == 0)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)at[i] - '0'; /* a large number if it is no digit */
        if (digit > 9)
            return false;
        if (number <= max)
            number = number * 10 + digit;
    }
    *value = number <= max ? number : max + 1;
    return true;
}

bool
seconds_parse(const char *at, size_t size, uint64_t max_ms, uint64_t *value_ms)
{
    const char *point = memchr(at, '.', size);
    size_t whole = point != NULL ? (size_t)(point - at) : size;
    size_t decimals = point != NULL ? size - whole - 1 : 0;
    uint64_t seconds, fraction = 0;

    if (!digits_parse(at, whole, max_ms / 1000, &seconds))
        return false;
    if (point != NULL && (decimals > 3 || !digits_parse(point + 1, decimals, 999, &fraction)))
        return false;
    for (; decimals < 3; decimals++)
        fraction *= 10;
    *value_ms = seconds * 1000 + fraction;
    return *value_ms >= 1 && *value_ms <= max_ms;
}

size_t
number_put(char *out, uint64_t number)
{
    size_t size = 1;

    for (uint64_t rest = number; rest >= 10; rest /= 10)
        size++;
    for (char *at = out + size; at > out; number /= 10)
        *--at = (char)('0' + number % 10);
    return size;
}

size_t
text_append(char *out, size_t size, size_t room, const char *text)
{
    while (*text != '\0' && size < room - 1)
        out[size++] = *text++;
    out[size] = '\0';
    return size;
}

size_t
number_append(char *out, size_t size, size_t room, uint64_t number)
{
    char digits[DIGITS_MAX + 1];

    digits[number_put(digits, number)] = '\0';
    return text_append(out, size, room, digits);
}

void
escape(char *out, size_t room, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;

    for (size_t i = 0; i < size && used + 5 <= room; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= ' ' && byte <= '~') {
            out[used++] = (char)byte;
        } else {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[byte >> 4];
            out[used++] = hex[byte & 15];
        }
    }
    out[used] = '\0';
}

size_t
utf8_size(const char *text, size_t size)
{
    const unsigned char *byte = (const unsigned char *)text;
    /* The second byte has narrower bounds after four of the first bytes: there is one way to write
     * each character, a surrogate is no character, and the last character is U+10FFFF. */
    unsigned char low = 0x80, high = 0xbf;
    size_t count;

    if (byte[0] < 0x80)
        return 1;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    count = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if (byte[0] == 0xe0 || byte[0] == 0xf0)
        low = byte[0] == 0xe0 ? 0xa0 : 0x90;
    if (byte[0] == 0xed || byte[0] == 0xf4)
        high = byte[0] == 0xed ? 0x9f : 0x8f;
    if (size < count || byte[1] < low || byte[1] > high)
        return 0;
    for (size_t i = 2; i < count; i++)
        if (byte[i] < 0x80 || byte[i] > 0xbf)
            return 0;
    return count;
}

size_t
printable_size(const char *text, size_t size)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t count = utf8_size(text, size);

    if (count == 1 && (byte[0] < ' ' || byte[0] == 0x7f))
        return 0;
    if (count == 2 && byte[0] == 0xc2 && byte[1] < 0xa0)
        return 0;
    return count;
}

size_t
escape_json(char *out, size_t room, const char *text)
{
    size_t used = 0;

    for (; *text != '\0' && used + 3 <= room; text++) {
        if (*text == '"' || *text == '\\')
            out[used++] = '\\';
        out[used++] = *text;
    }
    out[used] = '\0';
    return used;
}

const char *
status_text(int status)
{
    static char text[32];
    bool signalled = WIFSIGNALED(status);
    int number = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    size_t size =
        text_append(text, 0, sizeof(text), signalled ? "killed by signal " : "exited with status ");

    number_append(text, size, sizeof(text), (uint64_t)number);
    return text;
}

#include "shell.h"

#include <string.h>

static bool
byte_is_plain(char byte)
{
    char lower = (char)(byte | 0x20);

    return (lower >= 'a' && lower <= 'z') || (byte >= '+' && byte <= ':') || byte == '_' ||
           byte == '=' || byte == '@' || byte == '%';
}

/* Whether sh, which may be any shell, reads the word as it is. Bytes that are not ASCII may be
 * blanks in some locale. */
static bool
shell_reads_plain(const char *word, bool is_first)
{
    static const char *const keywords[] = {"case",   "coproc", "do",   "done",     "elif", "else",
                                           "esac",   "fi",     "for",  "function", "if",   "in",
                                           "select", "then",   "time", "until",    "while"};

    if (word[0] == '\0' || (is_first && strchr(word, '=') != NULL))
        return false;
    for (const char *at = word; *at != '\0'; at++)
        if (!byte_is_plain(*at))
            return false;
    for (size_t i = 0; is_first && i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (strcmp(word, keywords[i]) == 0)
            return false;
    return true;
}

size_t
shell_quote(char *out, const char *word, bool is_first)
{
    char *at = out;

    if (shell_reads_plain(word, is_first))
        return (size_t)((char *)mempcpy(out, word, strlen(word)) - out);
    *at++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            at = mempcpy(at, "'\\''", SHELL_BYTE_MAX);
        else
            *at++ = *word;
    }
    *at++ = '\'';
    return (size_t)(at - out);
}

#include "job_text.h"

#include "pool.h"

enum {
    TEXT_SIZES = 6,
    QUOTED_BYTE_MAX = 4, /* what a byte of words may become: a quote becomes '\'' */
    SHOWN_MAX = 200,     /* how much of a command the log shows, in bytes */
};

static struct {
    struct pool pools[TEXT_SIZES]; /* the last one has room for the longest */
    size_t bytes;
} texts = {
    .pools = {{.size = 64, .per_slab = 60},
              {.size = 256, .per_slab = 16},
              {.size = 1024, .per_slab = 4},
              {.size = sizeof(struct job_text) + 4096, .per_slab = 1},
              {.size = sizeof(struct job_text) + PROTO_TEXT_MAX + 1, .per_slab = 1},
              {.size = sizeof(struct job_text) + TEXT_LOGGED_MAX + 1, .per_slab = 1}},
};

static struct pool *
text_pool(size_t size)
{
    struct pool *pool = texts.pools;

    while (pool->size < sizeof(struct job_text) + size)
        pool++;
    return pool;
}

struct job_text *
job_text_new(const struct span *command)
{
    struct job_text *text = pool_get(text_pool(command->size));

    if (text == NULL)
        return NULL;
    texts.bytes += text_pool(command->size)->size;
    text->users = 1;
    text->size = (uint16_t)command->size;
    text->is_words = text->is_past = false;
    memcpy(text->bytes, command->at, command->size);
    return text;
}

struct job_text *
job_text_share(struct job_text *text)
{
    text->users++;
    return text;
}

void
job_text_free(struct job_text *text)
{
    if (text == NULL || --text->users > 0)
        return;
    if (!text->is_past)
        texts.bytes -= text_pool(text->size)->size;
    pool_put(text_pool(text->size), text);
}

void
job_text_set_past(struct job_text *text)
{
    text->is_past = true;
    texts.bytes -= text_pool(text->size)->size;
}

/* ---- words, as sh would read them ------------------------------------------------------------ */

/* Whether sh reads the word as it is. Bytes that are not ASCII may be blanks in some locale. */
static bool
word_is_plain(const char *word, size_t size, bool is_first)
{
    static const char *const reserved[] = {"case", "do",    "done",     "elif",   "else",  "esac",
                                           "fi",   "for",   "if",       "in",     "then",  "until",
                                           "time", "while", "function", "select", "coproc"};

    if (size == 0 || (is_first && memchr(word, '=', size) != NULL))
        return false;
    for (size_t i = 0; i < size; i++) {
        char byte = word[i], letter = (char)(byte | ' ');
        if (!(letter >= 'a' && letter <= 'z') && !(byte >= '+' && byte <= ':') && byte != '_' &&
            byte != '=' && byte != '@' && byte != '%')
            return false;
    }
    for (size_t i = 0; is_first && i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strcmp(word, reserved[i]) == 0)
            return false;
    return true;
}

/* Copies the word in quotes. Returns the end of the copy. */
static char *
word_quote(char *out, const char *word)
{
    *out++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            memcpy(out, "'\\''", QUOTED_BYTE_MAX);
            out += QUOTED_BYTE_MAX;
        } else {
            *out++ = *word;
        }
    }
    *out++ = '\'';
    return out;
}

struct span
job_text_shown(const struct job_text *text)
{
    static char block[QUOTED_BYTE_MAX * PROTO_TEXT_MAX];
    const char *word = text->bytes, *end = word + text->size;
    char *out = block;

    if (!text->is_words)
        return (struct span){text->bytes, text->size};
    while (word < end) {
        size_t size = strlen(word);
        if (out > block)
            *out++ = ' ';
        if (word_is_plain(word, size, word == text->bytes))
            out = mempcpy(out, word, size);
        else
            out = word_quote(out, word);
        word += size + 1;
    }
    return (struct span){block, (size_t)(out - block)};
}

struct span
job_text_logged(const struct job_text *text)
{
    struct span shown = job_text_shown(text);

    if (shown.size > SHOWN_MAX)
        shown.size = SHOWN_MAX;
    return shown;
}

/* ---- all texts ------------------------------------------------------------------------------- */

size_t
job_texts_bytes(void)
{
    return texts.bytes;
}

bool
job_texts_all_freed(void)
{
    bool all = true;

    for (int i = 0; i < TEXT_SIZES; i++)
        all = all && pool_is_whole(&texts.pools[i]);
    return all;
}

void
job_texts_close(void)
{
    for (int i = 0; i < TEXT_SIZES; i++)
        pool_free(&texts.pools[i]);
}

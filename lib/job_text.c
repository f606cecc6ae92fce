#include "job_text.h"

#include "pool.h"
#include "shell.h"

enum {
    TEXT_SIZES = 6,
    SHOWN_MAX = 200, /* how much of a command the log shows, in bytes */
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

/* ---- what people see ------------------------------------------------------------------------- */

struct span
job_text_shown(const struct job_text *text)
{
    static char block[SHELL_BYTE_MAX * PROTO_TEXT_MAX];
    const char *word = text->bytes, *end = word + text->size;
    char *out = block;

    if (!text->is_words)
        return (struct span){text->bytes, text->size};
    for (; word < end; word += strlen(word) + 1) {
        if (out > block)
            *out++ = ' ';
        out += shell_quote(out, word, word == text->bytes);
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

#include "each.h"

#include "job_life.h"
#include "options.h"
#include "stats.h"

enum {
    NAME_SHOWN = 64, /* of a name in an Error, in bytes */
};

static const char braces[] = "{}";

/* The words that are made; size counts also what had no room. */
struct made {
    char *out;
    size_t size, room;
};

static void
made_add(struct made *made, const char *text, size_t size)
{
    if (made->room >= size && made->size <= made->room - size)
        memcpy(made->out + made->size, text, size);
    made->size += size;
}

/* Adds a word with its zero byte. Returns whether the name is in it. */
static bool
made_add_word(struct made *made, const char *word, const struct span *name)
{
    bool has_name = false;

    for (const char *at; (at = strstr(word, braces)) != NULL; word = at + strlen(braces)) {
        made_add(made, word, (size_t)(at - word));
        made_add(made, name->at, name->size);
        has_name = true;
    }
    made_add(made, word, strlen(word) + 1);
    return has_name;
}

size_t
each_words(char *const *words, const struct span *name, char *out, size_t room)
{
    struct made made = {.out = out, .room = room};
    bool has_name = false;

    for (; *words != NULL; words++)
        has_name |= made_add_word(&made, *words, name);
    if (!has_name) {
        made_add(&made, name->at, name->size);
        made_add(&made, "", 1);
    }
    return made.size <= room ? made.size : 0;
}

/* Answers with an Error about a name, in place of a job. */
static enum handling
each_error(struct client *client, const char *code, const struct span *name, const char *what)
{
    char shown[4 * NAME_SHOWN + 1];
    bool cut = name->size > NAME_SHOWN;

    escape(shown, sizeof(shown), name->at, cut ? NAME_SHOWN : name->size);
    enum handling handling =
        client_error(client, code, "name '%s%s' %s", shown, cut ? "..." : "", what);
    if (handling == COMMAND_TAKEN)
        client_job_refused(client);
    return handling;
}

enum handling
each_refuse(struct client *client, const struct span *beginning)
{
    static_assert(EACH_NAME_MAX == 4096, "the number in the text");
    return each_error(client, "name_too_long", beginning, "is too long (limit 4096 bytes)");
}

enum handling
each_run(struct client *client, const struct span *name)
{
    static const struct span any = SPAN("any");
    static char block[PROTO_TEXT_MAX];

    if (name->size == 0 && options.name_separator == '\n')
        return COMMAND_TAKEN;
    if (memchr(name->at, '\0', name->size) != NULL)
        return each_error(client, "bad_name", name, "has a zero byte (see --null)");
    struct span words = {block, each_words(options.each, name, block, sizeof(block))};
    static_assert(PROTO_TEXT_MAX == 10240, "the number in the text");
    if (words.size == 0)
        return each_error(client, "words_too_long", name,
                          "makes words that are too long (limit 10240 bytes)");
    uint64_t errors = stats.errors;
    struct job *job = job_new_words(&words, options.each_ms);
    enum handling handling =
        job != NULL ? command_give_job(client, &any, job) : command_lacks_memory(client);
    if (stats.errors != errors)
        client_job_refused(client);
    return handling;
}

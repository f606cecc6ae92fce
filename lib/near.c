#include "near.h"

#include <string.h>

enum {
    MISTAKES_MAX = 2,
    LONG_SIZE = 6, /* a shorter word has at most one mistake: two turn many words into "run" */
};

static struct span
after(struct span text, size_t size)
{
    return (struct span){text.at + size, text.size - size};
}

/* Whether the typed word is the other with at most max mistakes. */
static bool
is_within(struct span typed, struct span word, unsigned max)
{
    while (typed.size > 0 && word.size > 0 && typed.at[0] == word.at[0]) {
        typed = after(typed, 1);
        word = after(word, 1);
    }
    if (typed.size == 0 || word.size == 0)
        return typed.size + word.size <= max;
    if (max == 0)
        return false;
    if (is_within(after(typed, 1), after(word, 1), max - 1) ||
        is_within(after(typed, 1), word, max - 1) || is_within(typed, after(word, 1), max - 1))
        return true;
    return typed.size > 1 && word.size > 1 && typed.at[0] == word.at[1] &&
           typed.at[1] == word.at[0] && is_within(after(typed, 2), after(word, 2), max - 1);
}

void
near_try(struct near *near, const char *word)
{
    struct span other = {word, strlen(word)};
    size_t shorter = near->typed.size < other.size ? near->typed.size : other.size;
    unsigned max = shorter < LONG_SIZE ? 1 : MISTAKES_MAX;

    if (span_is(&near->typed, word))
        return;
    for (unsigned mistakes = 1; mistakes <= max; mistakes++) {
        if (near->word != NULL && mistakes >= near->mistakes)
            return;
        if (is_within(near->typed, other, mistakes)) {
            near->word = word;
            near->mistakes = mistakes;
        }
    }
}

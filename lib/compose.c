#include "compose.h"

#include "options.h"
#include "shell.h"

#include <err.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* If the server's machine, or its view of the files, has no such directory, nothing of the job is
 * run, and the job ends with the status that env -C would have. CDPATH does not matter, because the
 * path is absolute. */
#define HERE_BEGIN "cd "
#define HERE_END   " || exit 125; "

/* What --here puts before each job. */
static struct cd_here {
    char text[COMPOSE_HERE_MAX];
    size_t size;
} cd_here;

/* The commands that give jobs, and which of their words is the first of the job, counted from 0. */
static const struct job_giver {
    const char *name;
    unsigned words;
} job_givers[] = {
    {"run", 3},
    {"submit", 2},
};

void
compose_open(void)
{
    char directory[PATH_MAX], quoted[SHELL_BYTE_MAX * PATH_MAX + 2];

    if (getcwd(directory, sizeof(directory)) == NULL)
        err(EXIT_FAILURE, "cannot find the working directory");
    if (directory[0] != '/')
        errx(EXIT_FAILURE, "cannot find the working directory: it is %s", directory);
    if (strchr(directory, '\n') != NULL)
        usage_error("--here: the name of this directory has a newline");
    size_t size = shell_quote(quoted, directory, false);
    if (strlen(HERE_BEGIN HERE_END) + size > sizeof(cd_here.text))
        usage_error("--here: the name of this directory is too long");
    memcpy(cd_here.text, HERE_BEGIN, strlen(HERE_BEGIN));
    memcpy(cd_here.text + strlen(HERE_BEGIN), quoted, size);
    memcpy(cd_here.text + strlen(HERE_BEGIN) + size, HERE_END, strlen(HERE_END));
    cd_here.size = strlen(HERE_BEGIN HERE_END) + size;
}

/* Returns the index of the word with which the job begins, or UINT_MAX if the command gives no
 * job. */
static unsigned
words_before_job(const struct span *first)
{
    for (size_t i = 0; i < sizeof(job_givers) / sizeof(job_givers[0]); i++)
        if (span_is(first, job_givers[i].name))
            return job_givers[i].words;
    return UINT_MAX;
}

void
compose_words(struct buffer *to, char *const *words)
{
    const struct span first = {words[0], strlen(words[0])};
    unsigned job = words_before_job(&first), count = 0;
    char quoted[SHELL_BYTE_MAX * LINE_MAX_SIZE + 2];
    size_t used = 0;

    while (words[count] != NULL)
        count++;
    for (unsigned i = 0; i < count; i++) {
        const char *text = words[i];
        size_t size = strlen(text);
        bool quotes = i >= job && count > job + 1;
        if (strchr(text, '\n') != NULL)
            usage_error("a command is one line");
        if (job != UINT_MAX && i < job && (size == 0 || strpbrk(text, " \t") != NULL))
            usage_error("a word before the job is empty or has a blank: '%s'", text);
        if (quotes && size < LINE_MAX_SIZE) {
            size = shell_quote(quoted, text, i == job);
            text = quoted;
        }
        used += size + 1; /* with a blank or the newline after it */
        if (used > LINE_MAX_SIZE)
            usage_error("command too long (limit %d bytes)", LINE_MAX_SIZE);
        buffer_append(to, text, size);
        if (i + 1 < count)
            buffer_append_string(to, " ");
    }
}

static bool
blank_at(const struct span *line, size_t at)
{
    return line->at[at] == ' ' || line->at[at] == '\t';
}

/* Returns where the job of the line begins, or its size if it gives none. */
static size_t
line_job(const struct span *line)
{
    unsigned skipped = 0, words = 1;
    size_t at = 0, end = line->size;

    if (end > 0 && line->at[end - 1] == '\r')
        end--;
    for (;; skipped++) {
        while (at < end && blank_at(line, at))
            at++;
        if (at == end)
            return line->size;
        if (skipped == words)
            return at;
        struct span word = {line->at + at, 0};
        while (at < end && !blank_at(line, at))
            at++;
        word.size = (size_t)(line->at + at - word.at);
        if (skipped == 0)
            words = words_before_job(&word);
    }
}

void
compose_line(struct buffer *to, const struct span *line)
{
    size_t job = options.here ? line_job(line) : line->size;

    buffer_append(to, line->at, job);
    if (job < line->size)
        buffer_append(to, cd_here.text, cd_here.size);
    buffer_append(to, line->at + job, line->size - job);
    buffer_append_string(to, "\n");
}

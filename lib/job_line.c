#include "job_line.h"

#include <errno.h>
#include <unistd.h>

static const char blanks[] = " \t";

/* Whether a shell would do more with the line than split it at blanks and run the first word. */
static bool
line_needs_shell(const char *text)
{
    const char *first = text + strspn(text, blanks);

    return strpbrk(text, "#;\"'*?[]&|<>(){}$`^~!\\") != NULL ||
           memchr(first, '=', strcspn(first, blanks)) != NULL;
}

void
job_line_set(struct job_line *line, const char *text, size_t size)
{
    size_t count = 0;

    assert(size <= PROTO_TEXT_MAX);
    memcpy(line->text, text, size);
    line->text[size] = '\0';
    line->shell[0] = "sh";
    line->shell[1] = "-c";
    line->shell[2] = "--";
    line->shell[3] = line->text;
    line->shell[4] = NULL;
    if (!line_needs_shell(line->text)) {
        memcpy(line->split, line->text, size + 1);
        for (char *word = line->split; *(word += strspn(word, blanks)) != '\0';) {
            line->words[count++] = word;
            word += strcspn(word, blanks);
            if (*word != '\0')
                *word++ = '\0';
        }
    }
    line->words[count] = NULL;
}

int
job_line_exec(const struct job_line *line)
{
    const char *name = line->words[0];

    if (name != NULL) {
        execvp(name, line->words);
        /*
         * Otherwise the shell is tried. A name that was not found may be one that only the shell
         * knows; a file in an unknown format may be a shell script. The shell also reports the
         * right error for a name without a slash; errno here is only about the last directory in
         * PATH.
         */
        if (errno != ENOEXEC && (strchr(name, '/') != NULL || errno == E2BIG || errno == ENOMEM))
            return errno;
    }
    execv("/bin/sh", (char *const *)line->shell); /* it does not write to them, exec(3) */
    return errno;
}

#include "job_line.h"

#include "text.h"

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

/* Writes why not even the shell can be run. Returns the exit status. */
static int
line_exec_failed(struct job_line *line, int error)
{
    size_t size =
        text_append(line->message, 0, sizeof(line->message), "driver: cannot run /bin/sh: ");

    size = text_append(line->message, size, sizeof(line->message), strerror(error));
    line->message[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line->message, size);
    (void)written;
    return error == ENOENT ? 127 : 126;
}

/*
 * If the first word cannot be run, the shell is tried. A name that was not found may be one that
 * only the shell knows, and a file in an unknown format may be a shell script. For everything else
 * the shell has the words and the exit status that a user expects: "sh: 1: x: not found", 127.
 * The job's user chooses PATH and the working directory, as at a shell.
 */
int
job_line_exec(struct job_line *line)
{
    if (line->words[0] != NULL)
        execvp(line->words[0], line->words);
    execve("/bin/sh", (char *const *)line->shell, environ); /* which does not write to them */
    return line_exec_failed(line, errno);
}

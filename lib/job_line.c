#include "job_line.h"

#include "text.h"

#include <errno.h>
#include <unistd.h>

enum {
    WORD_SHOWN = 64, /* of a word in a message, in bytes */
};

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
    line->is_words = false;
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

void
job_line_set_words(struct job_line *line, const char *text, size_t size)
{
    size_t count = 0;

    assert(size <= PROTO_TEXT_MAX);
    memcpy(line->text, text, size);
    line->is_words = true;
    for (char *word = line->text; word < line->text + size; word += strlen(word) + 1)
        line->words[count++] = word;
    line->words[count] = NULL;
}

/* Writes the message, whose beginning has that size, and the reason. Returns the exit status. */
static int
line_exec_failed(struct job_line *line, size_t size, int error)
{
    const char *why = line->is_words && error == ENOENT ? "not found" : strerror(error);

    size = text_append(line->message, size, sizeof(line->message) - 1, why);
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
static int
line_exec(struct job_line *line)
{
    if (line->words[0] != NULL)
        execvp(line->words[0], line->words);
    execve("/bin/sh", (char *const *)line->shell, environ); /* which does not write to them */
    int error = errno;
    return line_exec_failed(
        line, text_append(line->message, 0, sizeof(line->message), "driver: cannot run /bin/sh: "),
        error);
}

/* The program is a script that does not say which interpreter it is for. Some libcs have a shell
 * run it, as a shell does; for the others, a shell that finds it once more does. */
static void
words_exec_script(struct job_line *line)
{
    static const char *const shell[JOB_WORDS_SHELL] = {"sh", "-c", "exec \"$0\" \"$@\""};
    size_t count = 0;

    while (line->words[count++] != NULL)
        ;
    memmove(line->words + JOB_WORDS_SHELL, line->words, count * sizeof(line->words[0]));
    memcpy(line->words, shell, sizeof(shell));
    execve("/bin/sh", line->words, environ);
}

static int
words_exec(struct job_line *line)
{
    execvp(line->words[0], line->words);
    if (errno == ENOEXEC)
        words_exec_script(line);
    int error = errno;
    size_t size = text_append(line->message, 0, sizeof(line->message), "driver: ");
    size_t shown = strnlen(line->text, WORD_SHOWN);
    escape(line->message + size, sizeof(line->message) - size, line->text, shown);
    size = text_append(line->message, strlen(line->message), sizeof(line->message), ": ");
    return line_exec_failed(line, size, error);
}

int
job_line_exec(struct job_line *line)
{
    return line->is_words ? words_exec(line) : line_exec(line);
}

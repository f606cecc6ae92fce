#include "tally.h"

#include "job_result.h"
#include "options.h"

#include <string.h>

enum {
    WORD_MAX = 8, /* of the words below, in bytes */
    MARK_SIZE = 3,
};

struct tally tally;

/* Where in a line the input is. */
static struct scan {
    char word[WORD_MAX + 1]; /* the beginning of the line's first word */
    size_t word_size;
    unsigned mark;   /* how much of the byte order mark there was, and then MARK_SIZE */
    bool word_ended; /* the rest of the line does not matter */
    bool quit;       /* nothing more is run */
    bool in_name;    /* --each: a name has begun, and is counted */
} scan;

static bool
word_is(const char *word)
{
    return scan.word_size == strlen(word) && memcmp(scan.word, word, scan.word_size) == 0;
}

static void
word_end(void)
{
    scan.word_ended = true;
    tally.given += word_is("run") || word_is("submit");
    scan.quit = word_is("quit") || word_is("exit") || word_is("shutdown");
}

static void
scan_byte(char byte)
{
    if (scan.mark < MARK_SIZE && byte == "\xef\xbb\xbf"[scan.mark]) {
        scan.mark++;
        return;
    }
    scan.mark = MARK_SIZE;
    if (byte == '\n' || byte == ' ' || byte == '\t' || byte == '\r') {
        if (scan.word_size > 0 && !scan.word_ended)
            word_end();
    } else if (scan.word_size <= WORD_MAX) {
        scan.word[scan.word_size++] = byte;
    }
    if (byte != '\n')
        return;
    scan.word_size = 0;
    scan.word_ended = false;
}

/* Counts the names of --each. Empty names count only if a zero byte ends each name. */
static void
scan_names(const char *data, const char *end)
{
    while (data < end) {
        if (*data != options.name_separator) {
            tally.given += !scan.in_name;
            scan.in_name = true;
            data = memchr(data, options.name_separator, (size_t)(end - data));
            if (data == NULL)
                return;
        } else {
            tally.given += !scan.in_name && options.name_separator == '\0';
        }
        scan.in_name = false;
        data++;
    }
}

void
tally_input(const char *data, size_t size)
{
    const char *end = data + size;

    if (options.each != NULL) {
        scan_names(data, end);
        return;
    }
    while (data < end && !scan.quit) {
        const char *newline = scan.word_ended ? memchr(data, '\n', (size_t)(end - data)) : data;
        if (newline == NULL)
            return;
        scan_byte(*newline);
        data = newline + 1;
    }
}

void
tally_job_ended(const struct job_result *result, bool past)
{
    bool kept_from = result->ending == JOB_UNRUN &&
                     (result->reason == REASON_STOPPING || result->reason == REASON_TEXT);
    bool done = result->ending != JOB_CANCELLED && !kept_from;

    tally.ended++;
    tally.done += done;
    tally.failed += done && !result_is_good(result);
    if (past || result->ending == JOB_UNRUN || result->ending == JOB_LOST)
        return;
    tally.ran++;
    tally.ran_us += result->elapsed_us;
}

void
tally_job_refused(void)
{
    tally.ended++;
    tally.done++;
    tally.failed++;
}

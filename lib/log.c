#include "log.h"

#include "stream.h"
#include "text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct stream out; /* it is not in the epoll set */
    bool is_terminal;
    bool shares_terminal; /* standard output is one, too */
    bool mid_line;        /* the last copy did not end its line */
    bool (*prompt_take)(void);
    uint64_t dropped;
} logging = {
    .out = {.source.fd = STDERR_FILENO, .fd = STDERR_FILENO},
};

void
log_open(void)
{
    stream_open(&logging.out, STDERR_FILENO, O_WRONLY);
    logging.is_terminal = isatty(STDERR_FILENO);
    logging.shares_terminal = logging.is_terminal && isatty(STDOUT_FILENO);
}

void
log_close(void)
{
    stream_close(&logging.out);
}

void
log_over_prompt(bool (*prompt_take)(void))
{
    logging.prompt_take = prompt_take;
}

static bool
log_take_prompt(void)
{
    return logging.is_terminal && logging.prompt_take != NULL && logging.prompt_take();
}

void
log_line(const char *format, ...)
{
    char message[PATH_MAX + 128], shown[PATH_MAX + 128], line[sizeof(shown) + 16];
    const char *start = log_take_prompt() ? "\r" : logging.mid_line ? "\n" : "";
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    escape(shown, sizeof(shown), message, strlen(message));
    int size = snprintf(line, sizeof(line), "%sserver: %s\n", start, shown);
    if (stream_write(&logging.out, line, (size_t)size) != size)
        logging.dropped++;
    else
        logging.mid_line = false;
}

ssize_t
log_copy(const char *data, size_t size)
{
    if (log_take_prompt())
        stream_write(&logging.out, "\r  \r", 4);
    ssize_t n = stream_write(&logging.out, data, size);
    if (n > 0)
        logging.mid_line = data[n - 1] != '\n';
    return n;
}

void
log_end_line(void)
{
    if (logging.mid_line && logging.shares_terminal && stream_write(&logging.out, "\n", 1) == 1)
        logging.mid_line = false;
}

void
log_count(uint64_t count, const char *what, const char *how)
{
    if (count > 0)
        log_line("%" PRIu64 " %s%s %s", count, what, count == 1 ? "" : "s", how);
}

uint64_t
log_dropped(void)
{
    return logging.dropped;
}

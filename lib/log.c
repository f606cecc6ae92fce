#include "log.h"

#include "stream.h"
#include "text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct stream out; /* it is not in the epoll set */
    bool is_terminal;
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

void
log_line(const char *format, ...)
{
    char message[PATH_MAX + 128], shown[PATH_MAX + 128], line[sizeof(shown) + 16];
    bool over = logging.is_terminal && logging.prompt_take != NULL && logging.prompt_take();
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    escape(shown, sizeof(shown), message, strlen(message));
    int size = snprintf(line, sizeof(line), "%sserver: %s\n", over ? "\r" : "", shown);
    if (stream_write(&logging.out, line, (size_t)size) != size)
        logging.dropped++;
}

uint64_t
log_dropped(void)
{
    return logging.dropped;
}

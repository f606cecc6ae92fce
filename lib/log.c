#include "log.h"

#include "stream.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    WIDTH_DEFAULT = 80, /* of a terminal that does not know its own */
    ECHO_WIDTH = 2,     /* a ^C or ^Z, which the terminal shows after the status line */
    ERASE_SIZE = STATUS_SIZE + ECHO_WIDTH + 2,
};

static struct {
    struct stream out; /* it is not in the epoll set */
    bool is_terminal;
    bool shares_terminal; /* standard output is one, too */
    bool mid_line;        /* the last copy did not end its line */
    size_t status;        /* how long the status line is; 0: it is not shown */
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

unsigned
log_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

/* Writes into text, of ERASE_SIZE, what takes the status line away. Returns its size, or 0 if no
 * status line is shown. The terminal's last column stays as it is, because a blank there could
 * begin a new line. */
static size_t
status_erase(char *text)
{
    size_t covered = logging.status + ECHO_WIDTH, last = log_width() - 1;

    if (logging.status == 0)
        return 0;
    return (size_t)snprintf(text, ERASE_SIZE, "\r%*s\r", (int)(covered < last ? covered : last),
                            "");
}

void
log_line(const char *format, ...)
{
    char message[PATH_MAX + 128], shown[PATH_MAX + 128], line[sizeof(shown) + ERASE_SIZE + 16];
    const char *start = log_take_prompt() ? "\r" : logging.mid_line ? "\n" : "";
    size_t erased = status_erase(line);
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    escape(shown, sizeof(shown), message, strlen(message));
    int size = (int)erased +
               snprintf(line + erased, sizeof(line) - erased, "%sserver: %s\n", start, shown);
    if (stream_write(&logging.out, line, (size_t)size) != size) {
        logging.dropped++;
        return;
    }
    logging.mid_line = false;
    logging.status = 0;
}

/* Takes the status line away. Returns false with EAGAIN if the terminal takes no more now. */
static bool
status_take(void)
{
    char erase[ERASE_SIZE];
    size_t size = status_erase(erase);

    if (size == 0)
        return true;
    ssize_t n = stream_write(&logging.out, erase, size);
    if (n != (ssize_t)size && (n >= 0 || errno == EAGAIN || errno == EINTR)) {
        errno = EAGAIN;
        return false;
    }
    logging.status = 0;
    return true;
}

ssize_t
log_copy(const char *data, size_t size)
{
    if (log_take_prompt())
        stream_write(&logging.out, "\r  \r", 4);
    if (!status_take())
        return -1;
    ssize_t n = stream_write(&logging.out, data, size);
    if (n > 0)
        logging.mid_line = data[n - 1] != '\n';
    return n;
}

void
log_end_line(void)
{
    if (!logging.shares_terminal)
        return;
    status_take();
    if (logging.mid_line && stream_write(&logging.out, "\n", 1) == 1)
        logging.mid_line = false;
}

bool
log_is_mid_line(void)
{
    return logging.mid_line;
}

/* ---- the status line ------------------------------------------------------------------------- */

/* Writes the text, and what comes after it, in the place of the status line. Returns false if the
 * terminal takes no more now. */
static bool
status_write(const char *text, const char *after)
{
    char line[ERASE_SIZE + STATUS_SIZE];
    size_t size = status_erase(line);

    size += (size_t)snprintf(line + size, sizeof(line) - size, "%s%s%s",
                             logging.mid_line ? "\n" : "\r", text, after);
    ssize_t n = stream_write(&logging.out, line, size);
    if (n > 0)
        logging.mid_line = false;
    if (n == (ssize_t)size)
        logging.status = after[0] == '\0' ? strlen(text) : 0;
    else if (n > 0 && strlen(text) > logging.status)
        logging.status = strlen(text);
    return n == (ssize_t)size || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void
log_status(const char *text)
{
    status_write(text, "");
}

bool
log_status_end(const char *text)
{
    return status_write(text, "\n");
}

bool
log_status_is_shown(void)
{
    return logging.status > 0;
}

void
log_status_take(void)
{
    status_take();
}

/* ---- counts ---------------------------------------------------------------------------------- */

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

#include "handler.h"

#include "reply.h"
#include "stats.h"

#include <limits.h>

enum handling
client_answer_own(struct client *client, char *text, size_t size)
{
    if (request_answer_own(client, text, size))
        return COMMAND_TAKEN;
    request_text_free(text);
    return COMMAND_HELD;
}

enum handling
client_error(struct client *client, const char *code, const char *format, ...)
{
    char *line = request_text();
    va_list args;

    if (line == NULL)
        return COMMAND_HELD;
    va_start(args, format);
    size_t size = error_line(client->format, line, code, format, args);
    va_end(args);
    enum handling handling = client_answer_own(client, line, size);
    stats.errors += handling == COMMAND_TAKEN;
    client->loss.errors += handling == COMMAND_TAKEN && client->output_state == OUTPUT_GONE;
    return handling;
}

struct echo
echo_word(const struct span *word)
{
    struct echo echo = {""};

    escape(echo.text, sizeof(echo.text), word->at, word->size < ECHO_MAX ? word->size : ECHO_MAX);
    return echo;
}

/* A function of its own, so that command_driver() does not save registers for it. */
__attribute__((noinline)) static enum handling
command_no_driver(struct client *client, const struct span *word, bool is_pid)
{
    if (is_pid)
        return client_error(client, "no_driver", "no driver %s", echo_word(word).text);
    return client_error(client, "bad_pid", "bad pid '%s'", echo_word(word).text);
}

struct driver *
command_driver(struct client *client, const struct span *word, enum handling *handling)
{
    uint64_t pid;
    bool is_pid = digits_parse(word->at, word->size, INT_MAX - 1, &pid);
    struct driver *driver = is_pid ? driver_find((pid_t)pid) : NULL;

    if (driver != NULL && driver->state == DRIVER_READY)
        return driver;
    *handling = command_no_driver(client, word, is_pid);
    return NULL;
}

struct driver *
command_driver_to_ask(struct client *client, const struct span *word, enum handling *handling)
{
    struct driver *driver = command_driver(client, word, handling);

    if (driver == NULL)
        return NULL;
    /* A client that waits for no other reply is let in: a client that floods the driver must not
     * keep it out. */
    if (driver->queued_count >= DRIVER_QUEUE_MAX && client->owed > 0) {
        list_append(&driver->held, &client->held);
        *handling = COMMAND_HELD;
        return NULL;
    }
    return driver;
}

struct call *
command_call(struct client *client, const struct question *question)
{
    struct request *request = request_new(client);

    if (request == NULL)
        return NULL;
    struct call *call = call_new(request, question);
    if (call == NULL)
        request_abandon(request);
    return call;
}

struct call *
command_ask(struct client *client, const struct span *word, const struct question *question,
            enum handling *handling)
{
    struct driver *driver = command_driver_to_ask(client, word, handling);

    if (driver == NULL)
        return NULL;
    struct call *call = command_call(client, question);
    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call != NULL)
        driver_call(driver, call);
    return call;
}

#include "command.h"

#include "answer.h"
#include "clients.h"
#include "dispatch.h"
#include "job_life.h"
#include "keeper.h"
#include "options.h"
#include "phase.h"
#include "reply.h"
#include "stats.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

enum {
    WORDS_MAX = 5,    /* commands have at most 4 words; a fifth shows that there are too many */
    ECHO_MAX = 64,    /* of bad input in an Error, in bytes */
    HELP_SIZE = 4096, /* of the help, in bytes: it is put into an output block as a whole */
};

/* ---- immediate answers ----------------------------------------------------------------------- */

static enum handling
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

/* A word of the input, escaped and cut for an Error. */
struct echo {
    char text[4 * ECHO_MAX + 1];
};

static struct echo
echo_word(const struct span *word)
{
    struct echo echo = {""};

    escape(echo.text, sizeof(echo.text), word->at, word->size < ECHO_MAX ? word->size : ECHO_MAX);
    return echo;
}

/* ---- questions to drivers -------------------------------------------------------------------- */

/* Returns the listed driver that a word names. If there is none, answers with an Error, sets
 * *handling, and returns NULL. */
static struct driver *
command_driver(struct client *client, const struct span *word, enum handling *handling)
{
    uint64_t pid;
    bool is_pid = digits_parse(word->at, word->size, INT_MAX - 1, &pid);
    struct driver *driver = is_pid ? driver_find((pid_t)pid) : NULL;

    if (driver != NULL && driver->state == DRIVER_READY)
        return driver;
    if (is_pid)
        *handling = client_error(client, "no_driver", "no driver %s", echo_word(word).text);
    else
        *handling = client_error(client, "bad_pid", "bad pid '%s'", echo_word(word).text);
    return NULL;
}

/* Does the same for a driver that will be asked something. If its queue is full, holds the client
 * back and returns NULL, too. */
static struct driver *
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

/* Makes a request with one call. Returns the call, or NULL if there is no memory. */
static struct call *
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

/* Asks the driver that a word names, and sets *handling. Returns the call, or NULL if the driver is
 * not asked. The caller may still change the call, because its frame is made later in this turn. */
static struct call *
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

/* ---- drivers --------------------------------------------------------------------------------- */

static enum handling
do_create_driver(struct client *client, const struct span *args, unsigned count)
{
    uint64_t drivers = 1;

    if (count > 0 && (!digits_parse(args[0].at, args[0].size, DRIVERS_MAX, &drivers) ||
                      drivers == 0 || drivers > DRIVERS_MAX))
        return client_error(client, "bad_count", "bad count '%s' (1 to %d)",
                            echo_word(&args[0]).text, DRIVERS_MAX);
    struct request *request = request_new(client);
    if (request == NULL)
        return COMMAND_HELD;
    request->counted = count > 0;
    request->to_start = (unsigned)drivers;
    client->barrier = request;
    return COMMAND_TAKEN;
}

static enum handling
do_get_status(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;

    (void)count;
    command_ask(client, &args[0], &question_status, &handling);
    return handling;
}

/* Asks all listed drivers, or none if there is too little memory to ask all. */
static enum handling
do_get_drivers(struct client *client, const struct span *args, unsigned count)
{
    struct request *request = request_new(client);
    struct driver *driver = NULL;

    (void)args;
    (void)count;
    if (request == NULL)
        return COMMAND_HELD;
    request->counted = request->listing = true;
    while ((driver = fleet_next(driver)) != NULL) {
        if (driver->state != DRIVER_READY)
            continue;
        struct call *call = call_new(request, &question_status);
        if (call == NULL) {
            while (!list_empty(&request->calls))
                call_free(container_of(request->calls.next, struct call, of_request));
            request_abandon(request);
            return client_error(client, "cannot_list", "cannot list drivers: %s", strerror(ENOMEM));
        }
        call_set_driver(call, driver);
    }
    for (struct list *link = request->calls.next; link != &request->calls; link = link->next) {
        struct call *call = container_of(link, struct call, of_request);
        driver_call(call->driver, call);
    }
    client_wake(client);
    return COMMAND_TAKEN;
}

static enum handling
do_delete_driver(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling = COMMAND_HELD;
    struct driver *driver = command_driver(client, &args[0], &handling);

    (void)count;
    if (driver == NULL)
        return handling;
    driver->death = command_call(client, NULL);
    if (driver->death == NULL)
        return COMMAND_HELD;
    call_set_driver(driver->death, driver);
    driver_dismiss(driver);
    return COMMAND_TAKEN;
}

/* ---- tasks and jobs -------------------------------------------------------------------------- */

/* Parses the time of a task or the limit of a job. If it is bad, answers with an Error, sets
 * *handling, and returns false. */
static bool
command_seconds(struct client *client, const struct span *word, uint64_t *ms,
                enum handling *handling)
{
    if (seconds_parse(word->at, word->size, PROTO_TASK_MAX_MS, ms))
        return true;
    *handling =
        client_error(client, "bad_seconds", "bad seconds '%s' (above 0, at most %" PRIu64 ")",
                     echo_word(word).text, PROTO_TASK_MAX_MS / 1000);
    return false;
}

/* Gives a task or, unless it is NULL, the job to the driver that a word names, or to any idle
 * driver. Sets *handling. Returns the call, or NULL if there is none; the caller then still owns
 * the job. */
static struct call *
command_give(struct client *client, const struct span *word, struct job *job,
             enum handling *handling)
{
    const struct question *question = job != NULL ? &question_job : &question_task;
    bool any = span_is(word, "any");
    struct driver *driver = any ? NULL : command_driver_to_ask(client, word, handling);

    if (!any && driver == NULL)
        return NULL;
    struct call *call = command_call(client, question);
    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL)
        return NULL;
    if (job != NULL)
        job_take(call, job);
    if (any) {
        client->barrier = call->request;
        call_await_any(call);
    } else {
        call_assign(call, driver);
    }
    return call;
}

static enum handling
do_send_task(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    uint64_t duration_ms;

    (void)count;
    if (!command_seconds(client, &args[1], &duration_ms, &handling))
        return handling;
    struct call *call = command_give(client, &args[0], NULL, &handling);
    if (call == NULL)
        return handling;
    call->duration_ms = duration_ms;
    tasks_assign();
    return handling;
}

/* The server is stopping, or the batch has ended: answers a job that was read, but will not run.
 * Returns the call, as command_give() does. */
static struct call *
command_unrun(struct client *client, struct job *job, enum handling *handling)
{
    struct call *call = command_call(client, &question_job);

    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL)
        return NULL;
    job_take(call, job);
    if (client_halted(client) != NULL)
        job_unrun_halted(job);
    else
        job_unrun(job, REASON_STOPPING, 0);
    return call;
}

/* The job is Done already, as the log says. Returns the call, as command_give() does. */
static struct call *
command_recall(struct client *client, struct job *job, struct past *past, enum handling *handling)
{
    struct call *call = command_call(client, &question_job);

    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call == NULL)
        return NULL;
    resume_take(past);
    job_recall(call, job, past);
    return call;
}

enum handling
command_give_job(struct client *client, const struct span *word, struct job *job)
{
    enum handling handling;
    struct call *call = NULL;

    if (job == NULL)
        return client_error(client, "cannot_run", "cannot run: %s", strerror(ENOMEM));
    struct span command = job_text_shown(job->text);
    struct past *past = client == &console ? resume_find(&command) : NULL;
    job->any = span_is(word, "any");
    if (past != NULL)
        call = command_recall(client, job, past, &handling);
    else if (phase_stopping() || client_halted(client) != NULL)
        call = command_unrun(client, job, &handling);
    else if (job->any && fleet_next(NULL) == NULL && !keeper_is_trying() && !keeper_gave_up())
        handling = client_error(client, "no_driver", "no driver");
    else
        call = command_give(client, word, job, &handling);
    if (call == NULL)
        job_free(job);
    tasks_assign();
    return handling;
}

static enum handling
do_run(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    uint64_t limit_ms;

    (void)count;
    if (!command_seconds(client, &args[1], &limit_ms, &handling))
        return handling;
    if (memchr(args[2].at, '\0', args[2].size) != NULL)
        return client_error(client, "bad_command", "bad command '%s' (it has a zero byte)",
                            echo_word(&args[2]).text);
    return command_give_job(client, &args[0], job_new(&args[2], limit_ms));
}

/* A job may take long to end. The client's later commands wait for that, because they must find the
 * driver free. */
static enum handling
do_cancel_task(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct call *call = command_ask(client, &args[0], &question_cancel, &handling);

    (void)count;
    if (call != NULL && (call->driver->work == WORK_JOB || call->driver->jobs_due > 0))
        client->barrier = call->request;
    return handling;
}

static enum handling
do_wait(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling = COMMAND_HELD;
    struct driver *driver = NULL;

    if (count > 0) {
        driver = command_driver(client, &args[0], &handling);
        if (driver == NULL)
            return handling;
    }
    struct call *call = command_call(client, NULL);
    if (call == NULL)
        return COMMAND_HELD;
    if (driver == NULL) {
        request_wait(call->request, dispatch_all());
        waits_end();
    } else {
        call_set_driver(call, driver);
        request_wait(call->request, &driver->awaited);
        driver_changed(driver);
    }
    return COMMAND_TAKEN;
}

/* ---- the server and the client --------------------------------------------------------------- */

static enum handling
do_stats(struct client *client, const struct span *args, unsigned count)
{
    char *line = request_text();

    (void)args;
    (void)count;
    if (line == NULL)
        return COMMAND_HELD;
    return client_answer_own(client, line, stats_line(client->format, line));
}

/* Sets how this client is answered from now on. Changes nothing unless all words are valid. */
static enum handling
do_session(struct client *client, const struct span *args, unsigned count)
{
    const struct format *format = client->format;
    enum client_prompt prompt = client->prompt;
    enum client_farewell farewell = client->farewell;

    for (unsigned i = 0; i < count; i++) {
        const struct format *named = format_find(&args[i]);
        if (named != NULL)
            format = named;
        else if (span_is(&args[i], "prompt"))
            prompt = PROMPT_HIDDEN;
        else if (span_is(&args[i], "farewell"))
            farewell = FAREWELL_WANTED;
        else
            return client_error(client, "usage", "bad word '%s' (json, prompt or farewell)",
                                echo_word(&args[i]).text);
    }
    client->format = format;
    client->prompt = prompt;
    client->farewell = farewell;
    return COMMAND_TAKEN;
}

static enum handling
do_quit(struct client *client, const struct span *args, unsigned count)
{
    (void)args;
    (void)count;
    client->input_state = INPUT_QUIT;
    return COMMAND_TAKEN;
}

static enum handling
do_shutdown(struct client *client, const struct span *args, unsigned count)
{
    (void)args;
    (void)count;
    if (client->farewell == FAREWELL_WANTED)
        client->farewell = FAREWELL_OWED;
    phase_stop(false);
    return COMMAND_TAKEN;
}

/* ---- the table ------------------------------------------------------------------------------- */

static enum handling do_help(struct client *client, const struct span *args, unsigned count);

static const struct command {
    struct span name;
    const char *args; /* as the usage line shows them */
    unsigned min_args, max_args;
    bool takes_line; /* the last argument is the whole rest of the line */
    enum handling (*run)(struct client *, const struct span *args, unsigned count);
    const char *help;
} commands[] = {
    {SPAN("create_driver"), "[COUNT]", 0, 1, false, do_create_driver,
     "start a driver, or COUNT of them"},
    {SPAN("send_task"), "PID SECONDS", 2, 2, false, do_send_task,
     "keep a driver busy for that long (3, 0.25); PID any: one that is free"},
    {SPAN("run"), "PID|any SECONDS COMMAND...", 3, 3, true, do_run,
     "run a shell command on a driver, for at most that long"},
    {SPAN("get_status"), "PID", 1, 1, false, do_get_status, "ask a driver: Available or Busy"},
    {SPAN("get_drivers"), "", 0, 0, false, do_get_drivers, "ask all drivers, oldest first"},
    {SPAN("cancel_task"), "PID", 1, 1, false, do_cancel_task, "end a driver's task or job"},
    {SPAN("wait"), "[PID]", 0, 1, false, do_wait,
     "wait until that driver, or every driver, has no task or job"},
    {SPAN("delete_driver"), "PID", 1, 1, false, do_delete_driver,
     "end a driver, and its task or job"},
    {SPAN("stats"), "", 0, 0, false, do_stats, "show counters"},
    {SPAN("session"), "WORD...", 1, 3, false, do_session,
     "for this client: json, prompt, farewell"},
    {SPAN("help"), "", 0, 0, false, do_help, "show this"},
    {SPAN("quit"), "", 0, 0, false, do_quit, "end this client, after all replies"},
    {SPAN("exit"), "", 0, 0, false, do_quit, "the same"},
    {SPAN("shutdown"), "", 0, 0, false, do_shutdown, "stop the server"},
};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
};

/* The help in each format, made once. */
static struct help {
    char text[HELP_SIZE];
    size_t size;
} helps[FORMATS];

static void
help_make(struct help *help, const struct format *format)
{
    char usage[64];

    help->size = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        snprintf(usage, sizeof(usage), "%s%s%s", command->name.at,
                 command->args[0] != '\0' ? " " : "", command->args);
        help->size +=
            format->help(help->text + help->size, HELP_SIZE - help->size, usage, command->help);
    }
    help->size += format->help_count(help->text + help->size, HELP_SIZE - help->size, COMMANDS);
    assert(help->size < HELP_SIZE);
}

void
commands_open(void)
{
    for (size_t i = 0; i < FORMATS; i++)
        help_make(&helps[i], all_formats[i]);
}

static enum handling
do_help(struct client *client, const struct span *args, unsigned count)
{
    size_t i = 0;

    (void)args;
    (void)count;
    while (all_formats[i] != client->format)
        i++;
    return request_answer(client, helps[i].text, helps[i].size) ? COMMAND_TAKEN : COMMAND_HELD;
}

static const struct command *
command_find(const struct span *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].name.size == name->size &&
            memcmp(commands[i].name.at, name->at, name->size) == 0)
            return &commands[i];
    return NULL;
}

/* Runs a command, unless it is unknown (NULL), of count words, with its name. */
static enum handling
command_execute(struct client *client, const struct command *command, const struct span *words,
                unsigned count)
{
    if (phase_stopping() && (command == NULL || command->run != do_run))
        return client_error(client, "stopping", "server is stopping");
    if (client_halted(client) != NULL && (command == NULL || command->run != do_run))
        return client_error(client, "halted", "%s", client_halted(client));
    if (command == NULL)
        return client_error(client, "unknown_command", "unknown command '%s' (try help)",
                            echo_word(&words[0]).text);
    if (count - 1 < command->min_args || count - 1 > command->max_args)
        return client_error(client, "usage", "usage: %s%s%s", command->name.at,
                            command->args[0] != '\0' ? " " : "", command->args);
    return command->run(client, words + 1, count - 1);
}

enum handling
command_run(struct client *client, const struct span *line)
{
    struct span words[WORDS_MAX];
    unsigned count = line_split(line, words, WORDS_MAX);

    if (count == 0 || words[0].at[0] == '#')
        return COMMAND_TAKEN;
    const struct command *command = command_find(&words[0]);
    if (command != NULL && command->takes_line && count > command->max_args) {
        struct span *last = &words[command->max_args];
        last->size = (size_t)(line->at + line->size - last->at);
        count = command->max_args + 1;
    }
    uint64_t errors = stats.errors;
    enum handling handling = command_execute(client, command, words, count);
    if (command != NULL && command->run == do_run && stats.errors != errors)
        client_job_refused(client);
    return handling;
}

#include "command.h"

#include "answer.h"
#include "clients.h"
#include "format.h"
#include "job_commands.h"
#include "job_life.h"
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
    HELP_SIZE = 4096, /* of the help, in bytes: it is put into an output block as a whole */
};

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
    if (count > 0)
        request->noun = "driver";
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
    request->noun = "driver";
    request->listing = true;
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
    {SPAN("submit"), "SECONDS COMMAND...", 2, 2, true, do_submit,
     "have any driver run a shell command, and do not wait for it"},
    {SPAN("get_status"), "PID", 1, 1, false, do_get_status, "ask a driver: Available or Busy"},
    {SPAN("get_drivers"), "", 0, 0, false, do_get_drivers, "ask all drivers, oldest first"},
    {SPAN("get_jobs"), "[all]", 0, 1, false, do_get_jobs,
     "show the jobs that wait and run; all: also the last that are Done"},
    {SPAN("wait_job"), "N", 1, 1, false, do_wait_job, "wait until job N is Done"},
    {SPAN("cancel_job"), "N", 1, 1, false, do_cancel_job, "end job N, or keep it from beginning"},
    {SPAN("pause"), "", 0, 0, false, do_pause, "give no driver to what waits for any"},
    {SPAN("resume"), "", 0, 0, false, do_resume, "go on after pause"},
    {SPAN("cancel_task"), "PID", 1, 1, false, do_cancel_task, "end a driver's task or job"},
    {SPAN("wait"), "[PID|own]", 0, 1, false, do_wait,
     "wait until that driver, or every driver, has no task or job; own: until yours have ended"},
    {SPAN("delete_driver"), "PID", 1, 1, false, do_delete_driver,
     "end a driver, and its task or job"},
    {SPAN("stats"), "", 0, 0, false, do_stats, "show counters"},
    {SPAN("session"), "WORD...", 1, 3, false, do_session,
     "for this client: json, prompt, farewell"},
    {SPAN("help"), "[COMMAND]", 0, 1, false, do_help, "show this; COMMAND: its line alone"},
    {SPAN("quit"), "", 0, 0, false, do_quit, "end this client, after all replies"},
    {SPAN("exit"), "", 0, 0, false, do_quit, "the same as quit"},
    {SPAN("shutdown"), "", 0, 0, false, do_shutdown, "stop the server"},
};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
};

/* The help in each format, made once. */
static struct help {
    char text[HELP_SIZE];
    size_t size;
    size_t lines[COMMANDS + 1]; /* where each command's line begins; the last: where they end */
} helps[FORMATS];

static void
help_make(struct help *help, const struct format *format)
{
    char usage[64];

    help->size = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        help->lines[i] = help->size;
        snprintf(usage, sizeof(usage), "%s%s%s", command->name.at,
                 command->args[0] != '\0' ? " " : "", command->args);
        help->size +=
            format->help(help->text + help->size, HELP_SIZE - help->size, usage, command->help);
    }
    help->lines[COMMANDS] = help->size;
    help->size += format->help_count(help->text + help->size, HELP_SIZE - help->size, COMMANDS);
    assert(help->size < HELP_SIZE);
}

void
commands_open(void)
{
    for (size_t i = 0; i < FORMATS; i++)
        help_make(&helps[i], all_formats[i]);
}

static bool
command_is(const struct command *command, const struct span *name)
{
    return command->name.size == name->size && memcmp(command->name.at, name->at, name->size) == 0;
}

/* Clients often give the same command many times in a row, so the command that was found last is
 * tried first. */
static const struct command *last_found = commands;

static const struct command *
command_find(const struct span *name)
{
    if (command_is(last_found, name))
        return last_found;
    for (size_t i = 0; i < COMMANDS; i++)
        if (command_is(&commands[i], name))
            return last_found = &commands[i];
    return NULL;
}

static enum handling
command_unknown(struct client *client, const struct span *name)
{
    return client_error(client, "unknown_command", "unknown command '%s' (try help)",
                        echo_word(name).text);
}

static enum handling
do_help(struct client *client, const struct span *args, unsigned count)
{
    const struct help *help = helps;

    while (all_formats[help - helps] != client->format)
        help++;
    size_t begin = 0, end = help->size;
    if (count > 0) {
        const struct command *command = command_find(&args[0]);
        if (command == NULL)
            return command_unknown(client, &args[0]);
        begin = help->lines[command - commands];
        end = help->lines[command - commands + 1];
    }
    return request_answer(client, help->text + begin, end - begin) ? COMMAND_TAKEN : COMMAND_HELD;
}

/* Runs a command of count words, the first of which is its name; command is NULL if that name is
 * unknown. */
static enum handling
command_execute(struct client *client, const struct command *command, const struct span *words,
                unsigned count)
{
    if (phase_stopping() && (command == NULL || command->run != do_run))
        return client_error(client, "stopping", "server is stopping");
    if (client_halted(client) != NULL &&
        (command == NULL || (command->run != do_run && command->run != do_submit)))
        return client_error(client, "halted", "%s", client_halted(client));
    if (command == NULL)
        return command_unknown(client, &words[0]);
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
    if (stats.errors != errors && command != NULL &&
        (command->run == do_run || command->run == do_submit))
        client_job_refused(client);
    return handling;
}

#include "options.h"

#include "../proto.h"
#include "activation.h"
#include "clock.h"
#include "near.h"
#include "text.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define VERSION "1.0"

enum {
    GRACE_DEFAULT_S = 2,
    LINGER_DEFAULT_MS = 200,
    LINGER_MAX_MS = 3600000,
    REPLY_TIMEOUT_DEFAULT_S = 1,
};

struct options options = {
    .name_separator = '\n',
    .ready_fd = -1,
    .listen_fd = -1,
    .grace_ns = GRACE_DEFAULT_S * NS_PER_S,
    .linger_ns = LINGER_DEFAULT_MS * NS_PER_MS,
    .reply_timeout_ns = REPLY_TIMEOUT_DEFAULT_S * NS_PER_S,
    .start_timeout = "5",
    .start_timeout_ns = 5 * NS_PER_S,
};

/* An option: how it is written, what it does, and its line in the help. */
struct option_kind {
    char letter;      /* 0: it has only its name */
    bool for_clients; /* a client can have it */
    const char *name;
    const char *value; /* its name in the help, [=NAME] if it may be left out; NULL: none */
    const char *help;
    void (*take)(const struct option_kind *, const char *value);
};

bool
options_serve_others(void)
{
    return options.listen_path != NULL;
}

void
options_name(void)
{
    static char name[] = "server";

    options.taxi = strcmp(program_invocation_short_name, "taxi") == 0;
    if (!options.taxi)
        program_invocation_short_name = name; /* as log_line() does */
}

void
usage_error(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(" (try --help)\n", stderr);
    exit(2);
}

/* Exits. It is a failure if standard output could not be written, for example to a full disk. */
__attribute__((noreturn)) static void
exit_printed(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        err(EXIT_FAILURE, "cannot write standard output");
    exit(EXIT_SUCCESS);
}

static int64_t
seconds_take(const struct option_kind *kind, const char *value)
{
    uint64_t ms;

    if (!seconds_parse(value, strlen(value), PROTO_TASK_MAX_MS, &ms))
        usage_error("bad --%s '%s' (seconds above 0, at most %" PRIu64 ")", kind->name, value,
                    PROTO_TASK_MAX_MS / 1000);
    return (int64_t)ms * NS_PER_MS;
}

static unsigned
number_take(const struct option_kind *kind, const char *value, unsigned min, unsigned max)
{
    uint64_t number;

    if (!digits_parse(value, strlen(value), max, &number) || number < min || number > max)
        usage_error("bad --%s '%s' (%u to %u)", kind->name, value, min, max);
    return (unsigned)number;
}

/* Whether this is what other programs take for a TCP port: "8080", "localhost:80", "[::1]:80". */
static bool
means_port(const char *value)
{
    const char *colon = strrchr(value, ':');
    const char *port = colon != NULL ? colon + 1 : value;

    return strchr(value, '/') == NULL && *port != '\0' && port[strspn(port, "0123456789")] == '\0';
}

/* Returns the path. Exits unless it fits into the address of a socket, unix(7). from is the option
 * or variable that the path is from. */
static const char *
socket_take(const char *from, const char *value)
{
    size_t limit = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (value[0] == '\0')
        usage_error("%s needs a path that is not empty", from);
    if (strlen(value) > limit)
        usage_error("%s: path too long (limit %zu bytes): '%s'", from, limit, value);
    if (means_port(value))
        usage_error("%s needs the path of a UNIX socket, and '%s' looks like a port; a file of "
                    "that name is ./%s, and for TCP see CLIENTS in taxi-server(1)",
                    from, value, value);
    return value;
}

static void
take_clean_env(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    options.environment.clean = true;
}

static void
take_connect(const struct option_kind *kind, const char *value)
{
    (void)kind;
    options.connect_path = socket_take("--connect", value);
}

static void
take_driver(const struct option_kind *kind, const char *value)
{
    (void)kind;
    options.driver_path = value;
}

static void
take_drivers(const struct option_kind *kind, const char *value)
{
    options.drivers = number_take(kind, value, 1, DRIVERS_MAX);
}

static void
take_each(const struct option_kind *kind, const char *value)
{
    options.each_ms = (uint64_t)(seconds_take(kind, value) / NS_PER_MS);
}

static void
take_env(const struct option_kind *kind, const char *value)
{
    struct environment_choice *choice = &options.environment;

    if (!environment_want_valid(value))
        usage_error("bad --%s '%s' (NAME, NAME=VALUE or NAME*)", kind->name, value);
    size_t size = (choice->wanted_count + 1) * sizeof(*choice->wanted);
    const char **wanted = realloc(choice->wanted, size);
    if (wanted == NULL)
        err(EXIT_FAILURE, "cannot start");
    choice->wanted = wanted;
    wanted[choice->wanted_count++] = value;
}

static void
take_grace(const struct option_kind *kind, const char *value)
{
    options.grace_ns = seconds_take(kind, value);
}

static void
take_halt(const struct option_kind *kind, const char *value)
{
    if (strcmp(value, "soon") != 0 && strcmp(value, "now") != 0)
        usage_error("bad --%s '%s' (soon or now)", kind->name, value);
    options.halt = strcmp(value, "soon") == 0 ? HALT_SOON : HALT_NOW;
}

static void
take_here(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    options.here = true;
}

static void
take_json(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    options.json = true;
}

/* Of the options in seconds, only this one may be 0. */
static void
take_linger(const struct option_kind *kind, const char *value)
{
    uint64_t ms = LINGER_MAX_MS;

    if (!seconds_parse(value, strlen(value), LINGER_MAX_MS, &ms) && ms != 0)
        usage_error("bad --%s '%s' (seconds from 0 to %d)", kind->name, value,
                    LINGER_MAX_MS / 1000);
    options.linger_ns = (int64_t)ms * NS_PER_MS;
}

static void
take_listen(const struct option_kind *kind, const char *value)
{
    (void)kind;
    options.listen_path = socket_take("--listen", value);
}

static void
take_log(const struct option_kind *kind, const char *value)
{
    if (value[0] == '\0')
        usage_error("--%s needs a path that is not empty", kind->name);
    options.log_path = value;
}

static void
take_null(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    options.name_separator = '\0';
}

/* The path must be one that replies can contain. */
static void
take_output(const struct option_kind *kind, const char *value)
{
    size_t size = strlen(value);

    if (size == 0)
        usage_error("--%s needs a path that is not empty", kind->name);
    if (size > OUTPUT_PATH_MAX)
        usage_error("--%s: path too long (limit %d bytes)", kind->name, OUTPUT_PATH_MAX);
    for (size_t i = 0; i < size; i++)
        if (value[i] < ' ' || value[i] > '~')
            usage_error("--%s: replies name the path, which has to be printable ASCII", kind->name);
    options.output_path = value;
}

static void
take_progress(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    options.progress = isatty(STDERR_FILENO);
}

/* A descriptor that we were started with. */
static void
take_ready_fd(const struct option_kind *kind, const char *value)
{
    int fd = (int)number_take(kind, value, 3, INT_MAX - 1); /* the first three are in use */

    if (fcntl(fd, F_GETFD) < 0)
        usage_error("bad --%s '%s' (%s)", kind->name, value, strerror(errno));
    options.ready_fd = fd;
}

static void
take_reply_timeout(const struct option_kind *kind, const char *value)
{
    options.reply_timeout_ns = seconds_take(kind, value);
}

static void
take_resume(const struct option_kind *kind, const char *value)
{
    options.resume = value == NULL ? RESUME_DONE : RESUME_FAILED;
    if (value != NULL && strcmp(value, "failed") != 0)
        usage_error("bad --%s '%s' (--resume or --resume=failed)", kind->name, value);
}

static void
take_start_timeout(const struct option_kind *kind, const char *value)
{
    options.start_timeout = value;
    options.start_timeout_ns = seconds_take(kind, value);
}

static void
take_verbose(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    options.verbose = true;
}

static void take_help(const struct option_kind *kind, const char *value);

static void
take_version(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    puts(options.taxi ? "taxi " VERSION : "taxi-server " VERSION);
    exit_printed();
}

static void
take_watchdog(const struct option_kind *kind, const char *value)
{
    options.watchdog = value;
    options.watchdog_ns = seconds_take(kind, value);
}

/* In the order of the help. */
static const struct option_kind option_kinds[] = {
    {'d', false, "driver", "PATH", "the driver program", take_driver},
    {'n', false, "drivers", "N", "keep N drivers; each runs one job at a time", take_drivers},
    {'l', false, "listen", "PATH", "also take commands at a UNIX socket", take_listen},
    {'c', true, "connect", "PATH", "be a client of the server at PATH", take_connect},
    {0, true, "here", NULL, "a client's jobs run in its own directory", take_here},
    {'j', true, "json", NULL, "replies are JSON objects, one a line", take_json},
    {'g', false, "grace", "SECONDS", "for drivers and jobs to end before a KILL (2)", take_grace},
    {0, false, "linger", "SECONDS", "for what a job leaves to end by itself (0.2)", take_linger},
    {'t', false, "reply-timeout", "SECONDS", "for a driver to answer (1)", take_reply_timeout},
    {0, false, "start-timeout", "SECONDS", "for a driver to come up (5)", take_start_timeout},
    {0, false, "watchdog", "SECONDS", "for a driver of -n to answer before a KILL", take_watchdog},
    {'o', false, "output", "DIR", "write the output of jobs to files in DIR", take_output},
    {'L', false, "log", "FILE", "append each step of each job to FILE", take_log},
    {'R', false, "resume", "[=failed]", "do not repeat what FILE has as Done", take_resume},
    {'E', false, "each", "SECONDS WORD...", "run WORD... for each name in the input, as {}",
     take_each},
    {'0', false, "null", NULL, "names of --each end with a zero byte", take_null},
    {'H', false, "halt", "WHEN", "end a batch once a job has failed: soon or now", take_halt},
    {'p', false, "progress", NULL, "show at a terminal how far a batch is", take_progress},
    {0, false, "clean-env", NULL, "drivers and jobs inherit only basic variables", take_clean_env},
    {0, false, "env", "NAME[=VALUE]", "a variable for drivers and jobs, passed or set", take_env},
    {'r', false, "ready-fd", "FD", "write a newline to descriptor FD when ready", take_ready_fd},
    {'v', false, "verbose", NULL, "log when clients, drivers, tasks and jobs come and go",
     take_verbose},
    {'h', true, "help", NULL, "show this", take_help},
    {'V', true, "version", NULL, "show the version", take_version},
};

enum {
    OPTIONS = sizeof(option_kinds) / sizeof(option_kinds[0]),
    OPTION_LONG = UCHAR_MAX + 1, /* a long option is this and its index, for getopt_long(3) */
};

static void
take_help(const struct option_kind *kind, const char *value)
{
    (void)kind;
    (void)value;
    puts(options.taxi
             ? "usage: taxi [OPTION]... [COMMAND [WORD]...]\n"
               "Gives a server a command, or the commands on standard input. The server is at "
               "PATH,\n"
               "else at $TAXI_SOCKET, else at $XDG_RUNTIME_DIR/taxi/control.\n"
             : "usage: server [OPTION]... [--each SECONDS WORD...]\n"
               "       server --connect PATH [--here] [--json] [COMMAND [WORD]...]\n"
               "Gives tasks and jobs to driver processes. Reads commands from standard input.\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option_kind *shown = &option_kinds[i];
        if (options.taxi && !shown->for_clients)
            continue;
        const char letter[] = {'-', shown->letter, ',', '\0'};
        char usage[32];
        const char *name = shown->value != NULL ? shown->value : "";
        snprintf(usage, sizeof(usage), "--%s%s%s", shown->name, name[0] == '[' ? "" : " ", name);
        printf("  %-3s %-24s %s\n", shown->letter != 0 ? letter : "", usage, shown->help);
    }
    puts("\nThe command help shows all commands.");
    exit_printed();
}

/* Fills in what getopt_long(3) needs: the options by name, and the letters. '+' makes it stop at
 * the first word; ':' makes it distinguish a missing value from an unknown option. */
static void
options_describe(struct option *named, char *letters)
{
    *letters++ = '+';
    *letters++ = ':';
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option_kind *kind = &option_kinds[i];
        int value = kind->value == NULL     ? no_argument
                    : kind->value[0] == '[' ? optional_argument
                                            : required_argument;
        named[i] =
            (struct option){.name = kind->name, .has_arg = value, .val = OPTION_LONG + (int)i};
        if (kind->letter == 0)
            continue;
        *letters++ = kind->letter;
        for (; value != no_argument; value -= required_argument) /* one colon, or two */
            *letters++ = ':';
    }
    *letters = '\0';
}

/* Finds an option by what getopt_long(3) returned: its letter, or OPTION_LONG and its index. */
static const struct option_kind *
option_find(int found)
{
    if (found >= OPTION_LONG)
        return &option_kinds[found - OPTION_LONG];
    for (size_t i = 0; i < OPTIONS; i++)
        if (option_kinds[i].letter == found)
            return &option_kinds[i];
    return NULL;
}

/* Exits because of a long option that is unknown or ambiguous, or has a value that it cannot
 * have. */
__attribute__((noreturn)) static void
option_unknown(const char *option)
{
    struct near near = {.typed = {option + 2, strcspn(option + 2, "=")}};

    for (size_t i = OPTIONS; i-- > 0;) /* backwards: --halp is --help, and not --halt */
        if (option_kinds[i].for_clients || !options.taxi)
            near_try(&near, option_kinds[i].name);
    if (near.word == NULL)
        usage_error("unknown option '%s'", option);
    fprintf(stderr, "%s: unknown option '%s' (did you mean --%s?)\n", program_invocation_short_name,
            option, near.word);
    exit(2);
}

/* Returns how many processors we may use. */
static unsigned
processors_count(void)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* if there are more than the set can name */
    long count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : online;

    return count >= 1 && count <= DRIVERS_MAX ? (unsigned)count : 1;
}

/* The words after --each SECONDS are a template for jobs, and there must be drivers to run them. If
 * the first word were an option of ours, it would be taken for the name of a program, and each job
 * would fail. */
static void
options_each(char **words)
{
    size_t size = 0;

    if (words[0] != NULL && strcmp(words[0], "--") == 0)
        words++;
    else if (words[0] != NULL && words[0][0] == '-')
        usage_error("'%s' after --each SECONDS is no option but a program: options come before "
                    "--each, and a program of that name after --",
                    words[0]);
    if (words[0] == NULL)
        usage_error("--each needs SECONDS and WORD...");
    for (size_t i = 0; words[i] != NULL; i++)
        size += strlen(words[i]) + 1;
    if (size > PROTO_TEXT_MAX)
        usage_error("--each: the words are too long (limit %d bytes)", PROTO_TEXT_MAX);
    options.each = words;
    if (options.drivers == 0)
        options.drivers = processors_count();
}

/* Finds the server's socket for "taxi". An empty variable counts as none. */
static const char *
socket_find(void)
{
    static char path[PATH_MAX];
    const char *variable = getenv("TAXI_SOCKET");

    if (variable != NULL && variable[0] != '\0')
        return socket_take("TAXI_SOCKET", variable);
    variable = getenv("XDG_RUNTIME_DIR");
    if (variable == NULL || variable[0] != '/')
        usage_error("where is the server? TAXI_SOCKET is not set, and neither is XDG_RUNTIME_DIR; "
                    "--connect PATH names its socket");
    snprintf(path, sizeof(path), "%s/taxi/control", variable);
    return socket_take("XDG_RUNTIME_DIR", path);
}

/* Checks what the options of a client are together. */
static void
options_check_client(const struct option_kind *for_server)
{
    if (for_server != NULL && options.taxi)
        usage_error("--%s is an option of taxi-server", for_server->name);
    if (for_server != NULL)
        usage_error("--connect goes with --here and --json only");
    if (options.connect_path == NULL)
        options.connect_path = socket_find();
}

static void
options_check_server(char **words)
{
    const char *given = activation_socket();

    if (options.each_ms > 0)
        options_each(words);
    else if (words[0] != NULL)
        usage_error("unexpected argument '%s'", words[0]);
    else if (options.name_separator == '\0')
        usage_error("--null needs --each SECONDS WORD..., and comes before it");
    if (options.here)
        usage_error("--here goes with --connect only");
    if (options.resume != RESUME_NONE && options.log_path == NULL)
        usage_error("--resume needs --log FILE");
    if (given == NULL)
        return;
    if (options.listen_path != NULL)
        usage_error("--listen does not go with a socket of the service manager (LISTEN_FDS)");
    if (options.ready_fd == ACTIVATION_FD)
        usage_error("bad --ready-fd '%d' (it is the service manager's socket)", ACTIVATION_FD);
    options.listen_path = given;
    options.listen_fd = ACTIVATION_FD;
}

char **
options_parse(int argc, char **argv)
{
    struct option named[OPTIONS + 1] = {0};
    char letters[3 * OPTIONS + 3];
    const struct option_kind *for_server = NULL;
    int found;

    options_describe(named, letters);
    while (options.each_ms == 0 && (found = getopt_long(argc, argv, letters, named, NULL)) != -1) {
        const struct option_kind *kind = option_find(found);
        if (found == ':')
            usage_error("%s needs a value", argv[optind - 1]);
        if (kind == NULL && optopt != 0 && optopt < OPTION_LONG)
            usage_error("unknown option '-%c'", optopt);
        if (kind == NULL)
            option_unknown(argv[optind - 1]);
        kind->take(kind, optarg);
        if (!kind->for_clients)
            for_server = kind;
    }
    if (options.taxi || options.connect_path != NULL)
        options_check_client(for_server);
    else
        options_check_server(argv + optind);
    return argv + optind;
}

void
options_close(void)
{
    free(options.environment.wanted);
}

void
options_find_driver(void)
{
    static char path[PATH_MAX + 32];

    if (options.driver_path != NULL)
        return;
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (size < 0)
        err(EXIT_FAILURE, "cannot find my own binary");
    path[size] = '\0';
    /* Nothing depends on what access() finds but the name that we try: whoever can make a driver in
     * these directories can replace the server, too. */
    size_t directory = (size_t)(strrchr(path, '/') - path);
    text_append(path, directory, sizeof(path), "/driver");
    if (access(path, X_OK) < 0) {
        text_append(path, directory, sizeof(path), "/../libexec/taxi/driver");
        if (access(path, X_OK) < 0)
            text_append(path, directory, sizeof(path), "/driver");
    }
    options.driver_path = path;
}

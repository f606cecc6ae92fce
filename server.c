/*
 * server: a dispatcher of drivers, in the foreground.
 *
 * It takes commands, one a line, from its clients (standard input, and connections to a control
 * socket), starts driver processes, hands them timed tasks and commands over socketpairs (proto.h),
 * and answers. With --connect it is no server but a client of one, at the end of this file.
 *
 * There is one loop. It waits in epoll_wait() and nowhere else: for clients, for signals (all
 * blocked, read from one signalfd), for the drivers, and for one timerfd that is armed for the
 * earliest deadline. No handler, no thread, no call that blocks.
 *
 * Who owns what: the server owns clients and drivers. A client owns its requests, one a command, in
 * order; a request owns its calls, one a question to a driver, each of which becomes one line of
 * the reply. A driver holds its calls while they wait for it and gives each its outcome; it lives
 * until it is reaped and what it said last is read. What is dropped during a turn of the loop is
 * freed at the turn's end, so that no event of the turn points at freed memory.
 */
#include "proto.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- limits -------------------------------------------------------------------------------- */

#define VERSION "1.0"

enum {
    LINE_MAX_SIZE = 4096, /* a command with its newline, as long as a terminal's longest line */
    WORDS_MAX = 5,        /* the longest command has 4 words; a fifth proves one too many */
    ECHO_MAX = 64,        /* bytes of bad input that an Error repeats */
    TEXT_SIZE = 512,      /* an Error: ECHO_MAX bytes as \xNN, and the words around them */
    HELP_SIZE = 4096,     /* the help, which is put into an output block as a whole */
    COUNT_MAX = 100000,   /* drivers that one create_driver may ask for */

    /* A block is what a client's input or output is read or written with at a time: as much as a
     * pipe holds, so that one system call moves all that is there. It is taken from a pool when
     * there is something to hold. Full: see OWED_MAX for input; output that is full stops
     * the replies, they wait as requests. */
    BLOCK_SIZE = 64 * 1024,

    /* Replies, and lines of them, that the clients together may be owed before their next commands
     * are looked at; each has an equal share, but not less than the minimum. A client that sends
     * faster than its drivers answer, or does not read, is then not read from. So many that of many
     * drivers each has dozens to answer at a time, since waking one costs about as much as a
     * hundred answers; with few drivers fewer, which the processor's caches hold. */
    OWED_PER_DRIVER = 128,
    OWED_MIN = 2048,
    OWED_MAX = 16384,
    OWED_SHARE_MIN = 64,
    TEXT_WEIGHT = 4, /* what a reply that has its own text counts for besides: as much memory */
    /* Calls that may wait for a driver's socket: what it is sent at a time. Full: the client that
     * wants the driver is held back until there is room. */
    DRIVER_QUEUE_MAX = 512,
    /* Commands that a client may have running, or waiting to be, before it is not read from. */
    RUNS_MAX = 1024,
    OUTPUT_PATH_MAX = 512, /* of the directory for what they write */
    /* A line of reply, at the longest: one that names two files there, with each byte escaped. */
    REPLY_SIZE = 4096,
    /* Drivers that may be starting at once for one command: enough to keep the processors busy. */
    STARTING_MAX = 32,

    /* What one client or one kind of work may do in a turn before the others have theirs. Nobody's
     * reply comes later than by a few milliseconds because somebody else floods us. */
    CLIENT_ROUNDS = 4,      /* rounds of replies, commands and, where there is more, a read */
    CLIENTS_TURN_US = 1000, /* for commands; one client at least */
    CLIENT_TURN_MIN_US = 20,
    COMMANDS_PER_LOOK = 32, /* at the clock */
    FLUSHES_PER_TURN = 512, /* a send takes about a microsecond */
    ACCEPTS_PER_TURN = 64,
    EVENTS_PER_TURN = 256,

    SHARED_WRITE_MAX = 4096, /* what a pipe takes whole once poll says it is writable, pipe(7) */
    CHILD_STACK_SIZE = 32 * 1024,
    START_TIMEOUT_S = 5,  /* for a driver to say HELLO */
    LAST_WORDS_MS = 250,  /* for replies that the last drivers' end makes, after the grace */
    SWEEP_DELAY_MS = 100, /* that a dead child may be left, if nothing but itself names it */
    RETRY_DELAY_MS = 100, /* after memory, or a descriptor for another client, was lacking */
    /* Drivers that are kept are replaced at once; after one that has died so young, later, and
     * later again. */
    YOUNG_MS = 1000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    GRACE_DEFAULT_S = 2,
    REPLY_TIMEOUT_DEFAULT_S = 1,
};

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* What a client that has asked for it (session farewell) is sent last of all: End of Transmission
 * in ASCII, which no reply contains. So it knows that it has all, where a server that was killed
 * sends nothing. */
#define FAREWELL "\4"

/* close_range(2) flags; not every libc has them. */
enum {
    RANGE_UNSHARE = 1U << 1,
    RANGE_CLOEXEC = 1U << 2,
};

/* ---- types --------------------------------------------------------------------------------- */

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A doubly linked ring, or a link of one; a link that is in no ring points at itself. */
struct list {
    struct list *prev, *next;
};

/* A descriptor in the epoll set, in the object that owns it; fd is -1 once that was dropped. */
struct source {
    int fd;
    uint32_t events; /* what epoll watches it for; 0: not in the set */
    void (*ready)(struct source *, uint32_t events);
};

/* How to use a descriptor that we share with whoever started us without blocking on it, and
 * without setting O_NONBLOCK, which they would see. */
enum stream_kind {
    STREAM_FILE,   /* never blocks, and epoll refuses it: a regular file, /dev/null */
    STREAM_SOCKET, /* send and recv with MSG_DONTWAIT */
    STREAM_OWN,    /* a pipe or terminal that we have opened anew for ourselves, nonblocking */
    STREAM_SHARED, /* a pipe or terminal that we may not open: poll, then a little at a time */
};

struct stream {
    struct source source; /* the descriptor we were given */
    int fd;               /* the one to read or write: the same, or our own */
    enum stream_kind kind;
};

/* Objects of one size, handed out and taken back; only growing allocates. */
struct pool {
    size_t size;
    unsigned per_slab; /* objects that growing adds */
    struct pool_item *free;
    struct pool_slab *slabs;
};

/* Bytes from start to end are there. data is a block, or NULL when nothing is. */
struct buffer {
    char *data;
    size_t start, end;
};

enum deadline_kind {
    DEADLINE_REPLY,   /* of a call: the driver answers */
    DEADLINE_START,   /* of a driver: it says HELLO */
    DEADLINE_EXIT,    /* of a driver that was told to exit: it does, or is killed */
    DEADLINE_STOP,    /* of the server: output that is not written by then is dropped */
    DEADLINE_SWEEP,   /* of the server: all children that are dead are looked for */
    DEADLINE_RETRY,   /* of the server: what lacked memory or a descriptor is tried again */
    DEADLINE_REPLACE, /* of the server: drivers that have died are replaced */
    DEADLINE_KINDS,
};

/* All deadlines of a kind run equally long, so the queue of a kind is in order of time. */
struct deadline {
    struct list link; /* server.deadlines[kind].queue */
    int64_t at_ns;    /* on CLOCK_MONOTONIC */
};

enum call_outcome {
    CALL_PENDING,
    CALL_STATE,     /* the driver said: see refusal and remaining_ms */
    CALL_DONE,      /* the command has ended: see run */
    CALL_TIMEOUT,   /* it did not, in time */
    CALL_DIED,      /* it died: see status */
    CALL_DELETED,   /* it was told to exit, and was reaped */
    CALL_NOT_BORN,  /* it could not be started: see error */
    CALL_DEAD_BORN, /* it died before it said HELLO: see status */
    CALL_LATE_BORN, /* it did not say HELLO in time */
    CALL_MALFORMED, /* it broke the protocol before it said HELLO */
    CALL_NO_DRIVER, /* any driver would do, and there is none */
    CALL_STOPPING,  /* the server is being stopped */
};

/* A command as a driver gets it: a line without its newline. */
struct run_text {
    size_t size;
    char bytes[PROTO_TEXT_MAX];
};

/* What a RUN has besides. */
struct run {
    struct run_text *text; /* from server.run_texts, until it is handed to the driver; then NULL */
    uint64_t output;       /* the number of its files in server.output_path; 0: none */
    struct proto_result result;
};

/* A pid in digits, which is made once for all lines that have it. */
struct pid_text {
    uint8_t size;
    char digits[11];
};

/* A question to a driver, and the line of a reply that its outcome becomes. A call with no
 * request has nobody waiting for it. */
struct call {
    struct list of_request;   /* request.calls, if there is a request */
    struct list of_driver;    /* driver.queued, .in_flight, .ongoing; alone once it has ended */
    struct deadline deadline; /* DEADLINE_REPLY while in flight */
    struct request *request;
    struct driver *driver; /* NULL once it has ended */
    pid_t pid;
    bool ongoing; /* it is in driver.ongoing */
    struct pid_text pid_text;
    uint32_t id;           /* the request's number on the wire */
    enum proto_type type;  /* PROTO_TASK, PROTO_RUN, PROTO_STATUS or PROTO_CANCEL */
    uint32_t cancelled_id; /* of a CANCEL */
    uint64_t duration_ms;  /* of a TASK, or the limit of a RUN */
    struct run *run;       /* of a RUN; else NULL */
    enum call_outcome outcome;
    enum proto_refusal refusal;
    union {
        uint64_t remaining_ms; /* of CALL_STATE; 0: Available */
        int status;            /* from waitpid(2) */
        int error;             /* an errno; also of PROTO_REFUSED_EXEC */
    };
};

/* A command that is being answered. */
struct request {
    struct list link; /* client.requests */
    struct client *client;
    struct list calls; /* those not written yet, in the order of their lines */
    const char *text;  /* the reply, where it asks no driver; from server.texts, or the help */
    size_t text_size;
    bool text_is_own;  /* it is from server.texts */
    bool json;         /* the reply is JSON */
    bool counted;      /* closes with "N drivers" */
    bool listing;      /* get_drivers: a driver that does not answer has its line, too */
    unsigned lines;    /* Driver lines written */
    unsigned to_start; /* create_driver: how many have not been started yet */
    unsigned starting; /* create_driver: how many have not said HELLO yet */
};

enum driver_state {
    DRIVER_STARTING, /* no HELLO yet */
    DRIVER_READY,    /* listed, takes calls */
    DRIVER_STOPPING, /* told to exit, or hung up, or to be killed: unlisted */
    DRIVER_STATES,
};

struct driver {
    struct source source;     /* our end of the socketpair; closed once it has ended */
    struct list by_age;       /* server.drivers, oldest first; then server.dropped */
    struct list unsent;       /* server.unsent, while there may be something to send */
    struct list ended;        /* server.ended, from the end of its socket until it is reaped */
    struct driver *next_hash; /* server.by_pid */
    struct list queued;       /* calls that wait for room in the socket, oldest first */
    struct list in_flight;    /* calls that it has and has not answered, oldest first */
    struct list ongoing;      /* calls that it has answered, that end with its command */
    struct list held;         /* clients that wait for room in queued */
    struct list idle;         /* server.idle, while it could take a task */
    struct list awaited;      /* clients that wait until it has no task */
    struct deadline deadline; /* DEADLINE_START while starting, DEADLINE_EXIT while stopping */
    struct call *birth;       /* create_driver waits for HELLO */
    struct call *death;       /* delete_driver waits for the end */
    pid_t pid;
    struct pid_text pid_text;
    enum driver_state state;
    bool reaped; /* the pid is not its own any more */
    bool said_hello;
    bool busy;         /* as far as it has told */
    bool ran;          /* it was handed a command, which it may have left behind if it fails */
    pid_t command;     /* that runs, and leads a session; 0: none */
    uint32_t run_id;   /* the number of its RUN */
    bool left_orphans; /* there were children in that session when they were last looked for */
    bool engaged;      /* busy, or to be: counted in server.engaged */
    bool unresponsive; /* it let a call time out and has said nothing since */
    bool kept;         /* it is replaced when it dies */
    bool condemned;    /* its end is our doing, however it ends */
    /* What its birth comes to if it is reaped before HELLO. */
    enum call_outcome birth_failure;
    bool exit_wanted; /* send EXIT behind what is queued */
    bool exit_sent;
    unsigned queued_count;
    unsigned tasks_due; /* tasks and commands among queued and in_flight */
    unsigned runs_due;  /* commands among these */
    int64_t started_ns;
    uint32_t sent_id;     /* number of the last call handed to the socket */
    uint32_t answered_id; /* number of the last call answered: it answers in order */
    /* The rest of a frame that was sent in part, the part of one that has come in so far. Of a RUN,
     * the end of the text is to be sent behind out: all of it, or as many bytes. */
    uint8_t out_size, in_size;
    unsigned char out[PROTO_FRAME_MAX], in[PROTO_FRAME_MAX];
    uint16_t out_text_size;
    struct run_text *out_text; /* from server.run_texts */
};

/* Who gives commands: the console, which is standard input and output, or a connection to the
 * control socket. */
struct client {
    struct list link;      /* server.connections, then server.dropped_clients */
    struct stream in, out; /* of a connection both are its socket, and only in is watched */
    struct buffer input, output;
    struct list requests; /* in the order of the commands */
    struct list runnable; /* server.runnable, while there may be something to do */
    struct list held;     /* driver.held, while that driver's queue is full */
    struct list lacking;  /* server.lacking, while there is no memory for what is next */
    struct list waiting;  /* server.any_waiting, .all_waiting or driver.awaited: its barrier */
    /* A command not answered yet for which those behind it wait: create_driver, wait, or a task for
     * any driver that has none yet. */
    struct request *barrier;
    unsigned owed;      /* its requests and their calls */
    unsigned runs;      /* commands to run among them */
    bool full;          /* it is owed too much */
    bool more;          /* the last read took all that there was room for */
    bool starved;       /* no whole line is in the input */
    bool input_ended;   /* nothing more will come in */
    bool quit;          /* it asked to be ended */
    bool gone;          /* a connection of which the other end is closed */
    bool heard_out;     /* what it had sent when the server was stopped is read */
    bool skipping_line; /* the rest of a line that was too long is being dropped */
    bool output_full;   /* replies wait for room in the output */
    bool output_waits;  /* the output waits for its reader */
    bool output_failed; /* its reader is gone: replies are dropped */
    bool terminal;      /* the input is a terminal */
    bool prompts;       /* it is a person who wants to see a prompt */
    bool prompted;      /* and it is the last thing that they see */
    bool json;          /* replies to the next commands are JSON */
    bool farewell;      /* FAREWELL is to be the last thing that is written */
    bool said_shutdown; /* the stop is its own */
};

/* Bytes of somebody else's buffer: a word, a line. */
struct span {
    const char *at;
    size_t size;
};

#define SPAN(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

enum handling {
    COMMAND_TAKEN, /* a request answers it, or it needs no answer */
    COMMAND_HELD,  /* not yet: it stays in the input and is looked at again later */
};

struct command {
    struct span name;
    const char *args; /* as the usage shows them */
    unsigned min_args, max_args;
    bool takes_line; /* the last argument is the rest of the line */
    enum handling (*run)(struct client *, const struct span *args, unsigned count);
    const char *help;
};

/* ---- state --------------------------------------------------------------------------------- */

static struct server {
    int epoll_fd;
    int null_fd;   /* /dev/null, the drivers' standard input and output */
    int spawn_fd;  /* a low number for the socket of a driver that is being started */
    int spawn_how; /* clone(2) flags */
    pid_t pid;
    struct source signals;
    struct source timer;
    struct stream log; /* standard error; not in the epoll set */
    bool log_is_terminal;
    struct client console;
    struct list connections;     /* clients at the control socket */
    struct list dropped_clients; /* to be freed at the end of the turn */
    unsigned connection_count;
    unsigned clients_gone;   /* of these: the other end is closed */
    unsigned owed_share;     /* what a client may be owed */
    struct source listener;  /* the control socket; fd -1: none */
    bool accept_failed;      /* and it was told */
    struct stat listen_file; /* which device and inode the socket's file is */
    int64_t now_ns;          /* CLOCK_MONOTONIC when it was last looked at in this turn */

    struct {
        struct list queue;
        int64_t timeout_ns;
    } deadlines[DEADLINE_KINDS];
    int64_t timer_at_ns; /* what the timerfd is armed for; 0: nothing */
    struct deadline stop_deadline, sweep_deadline, retry_deadline, replace_deadline;

    struct list drivers;     /* all that are not reaped and judged */
    struct list dropped;     /* drivers to free at the end of the turn */
    struct list unsent;      /* drivers that may have something to send */
    struct list ended;       /* drivers whose socket is closed, not reaped yet */
    bool ended_changed;      /* one was added, or a child has died: they are to be looked at */
    struct list runnable;    /* clients that may have something to do */
    struct list lacking;     /* clients for which there was no memory */
    bool memory_freed;       /* there may be, now */
    struct list idle;        /* drivers that could take a task, the one Available longest first */
    struct list any_waiting; /* clients with a task for any driver, who came first first */
    struct list all_waiting; /* clients that wait until no driver has a task */
    unsigned engaged;        /* listed drivers that have one, or are to have one */
    struct driver **by_pid;  /* hash table of by_pid_size chains, a power of two */
    size_t by_pid_size;
    unsigned counts[DRIVER_STATES];

    struct pool blocks, requests, calls, texts, clients, runs, run_texts;

    unsigned kept_missing;  /* drivers that are kept, yet to be started: */
    unsigned kept_died;     /* so many of them in the place of one that died */
    unsigned kept_starting; /* that have not said HELLO yet */
    int64_t backoff_ms;     /* before the next are started; 0: they have lived */
    bool warming_up;        /* the first of them are not up yet: commands wait */
    bool announced;         /* that we are ready */

    bool orphans;         /* there may be children that a driver has left, which are to be killed */
    bool orphans_changed; /* and they are to be looked for */
    bool childless;       /* all children that are no drivers come from drivers */

    bool hup_ignored; /* nohup(1) */
    bool stopping;
    bool out_of_time; /* what is left of the output is dropped */
    int exit_status;
    struct rlimit nofile; /* as we were started with, for the drivers */
    char **driver_env;    /* their environment: pointers into our own, then NULL */

    /* options */
    const char *driver_path;
    const char *listen_path;  /* NULL: standard input is the only client */
    const char *connect_path; /* NULL: we are a server */
    const char *output_path;  /* NULL: what commands write goes to standard error */
    unsigned kept_wanted;
    int ready_fd; /* -1: none */
    bool json;
    bool verbose;

    /* stats */
    uint64_t commands, errors, created, died, replaced, tasks, tasks_done, unanswered, log_dropped;
    uint64_t runs_started, runs_failed, runs_timed_out;
    uint64_t cancelled_at_stop;
    uint64_t outputs; /* numbers used for files in output_path */
    int64_t started_ns;

    struct {
        char text[HELP_SIZE];
        size_t size;
    } help, help_json;
    /* Frames on their way to or from one driver; as large as a client's batch of them. */
    unsigned char scratch[BLOCK_SIZE];
} server = {
    .epoll_fd = -1,
    .signals.fd = -1,
    .timer.fd = -1,
    .listener.fd = -1,
    .log = {.source.fd = STDERR_FILENO, .fd = STDERR_FILENO}, /* as a file, until it is opened */
    .ready_fd = -1,
    .blocks = {.size = BLOCK_SIZE, .per_slab = 2},
    .requests = {.size = sizeof(struct request), .per_slab = 60},
    .calls = {.size = sizeof(struct call), .per_slab = 60},
    .texts = {.size = TEXT_SIZE, .per_slab = 16},
    .clients = {.size = sizeof(struct client), .per_slab = 15},
    .runs = {.size = sizeof(struct run), .per_slab = 60},
    .run_texts = {.size = sizeof(struct run_text), .per_slab = 4},
    .deadlines[DEADLINE_REPLY].timeout_ns = REPLY_TIMEOUT_DEFAULT_S * NS_PER_S,
    .deadlines[DEADLINE_START].timeout_ns = START_TIMEOUT_S * NS_PER_S,
    .deadlines[DEADLINE_EXIT].timeout_ns = GRACE_DEFAULT_S * NS_PER_S,
    .deadlines[DEADLINE_SWEEP].timeout_ns = SWEEP_DELAY_MS * NS_PER_MS,
    .deadlines[DEADLINE_RETRY].timeout_ns = RETRY_DELAY_MS * NS_PER_MS,
};

/* ---- list ---------------------------------------------------------------------------------- */

static void
list_init(struct list *list)
{
    list->prev = list->next = list;
}

static bool
list_empty(const struct list *list)
{
    return list->next == list;
}

static void
list_append(struct list *list, struct list *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* Takes a link out of its ring, if it is in one, without making it a ring of its own: it is freed
 * or appended next. */
static void
list_unlink(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
}

/* Takes a link out of its ring, if it is in one. */
static void
list_remove(struct list *link)
{
    list_unlink(link);
    list_init(link);
}

/* ---- pool ---------------------------------------------------------------------------------- */

struct pool_item {
    struct pool_item *next;
};

struct pool_slab {
    struct pool_slab *next;
    _Alignas(max_align_t) char items[];
};

/* Returns false, with errno, when there is no memory. Rare: not inlined, which would have
 * pool_get() save registers for it each time. */
__attribute__((noinline)) static bool
pool_grow(struct pool *pool)
{
    struct pool_slab *slab = malloc(sizeof(*slab) + pool->per_slab * pool->size);

    if (slab == NULL)
        return false;
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (unsigned i = 0; i < pool->per_slab; i++) {
        struct pool_item *item = (void *)(slab->items + i * pool->size);
        item->next = pool->free;
        pool->free = item;
    }
    return true;
}

/* An object, uninitialized; NULL, with errno, when there is no memory. */
static void *
pool_get(struct pool *pool)
{
    if (pool->free == NULL && !pool_grow(pool))
        return NULL;
    struct pool_item *item = pool->free;
    pool->free = item->next;
    return item;
}

/* Makes sure of so many objects, at most two and not more than growing adds. False: no memory. */
static bool
pool_has(struct pool *pool, unsigned count)
{
    if (count == 0 || (pool->free != NULL && (count == 1 || pool->free->next != NULL)))
        return true;
    return pool_grow(pool);
}

static void
pool_put(struct pool *pool, void *object)
{
    struct pool_item *item = object;

    item->next = pool->free;
    pool->free = item;
    server.memory_freed = true;
}

static void
pool_free(struct pool *pool)
{
    while (pool->slabs != NULL) {
        struct pool_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        free(slab);
    }
    pool->free = NULL;
}

/* ---- buffer -------------------------------------------------------------------------------- */

static size_t
buffer_used(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static size_t
buffer_room(const struct buffer *buffer)
{
    return BLOCK_SIZE - buffer->end;
}

/* Makes sure that there is a block, with what it holds at its beginning. False: no memory. */
static bool
buffer_prepare(struct buffer *buffer)
{
    if (buffer->data == NULL) {
        buffer->data = pool_get(&server.blocks);
        return buffer->data != NULL;
    }
    memmove(buffer->data, buffer->data + buffer->start, buffer_used(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
    return true;
}

/* Drops that many bytes from the beginning; the last of them gives the block back. */
static void
buffer_consume(struct buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start == buffer->end && buffer->data != NULL) {
        pool_put(&server.blocks, buffer->data);
        *buffer = (struct buffer){0};
    }
}

static inline void
buffer_append(struct buffer *buffer, const char *text, size_t size)
{
    assert(size <= buffer_room(buffer));
    memcpy(buffer->data + buffer->end, text, size);
    buffer->end += size;
}

/* Inline, so that a literal costs no strlen(). */
static inline void
buffer_append_string(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

static void
buffer_append_number(struct buffer *buffer, uint64_t number)
{
    size_t size = 1;

    for (uint64_t rest = number; rest >= 10; rest /= 10)
        size++;
    assert(size <= buffer_room(buffer));
    buffer->end += size;
    for (char *at = buffer->data + buffer->end; size > 0; size--, number /= 10)
        *--at = (char)('0' + number % 10);
}

/* ---- source -------------------------------------------------------------------------------- */

/* Watches the source for these events; 0 takes it out of the set, since a hangup is reported even
 * where nothing is asked for, epoll_ctl(2), and would spin. False, with errno, on failure. */
static bool
source_watch(struct source *source, uint32_t events)
{
    /* This event is what registers one source: the kernel hands the pointer back in the array of
     * events that loop_turn() receives, where each is what happened. It is zeroed here, each time,
     * so that nothing of another registration is left in its union. */
    struct epoll_event event = {.events = events, .data.ptr = source};
    int operation = EPOLL_CTL_MOD;

    if (events == source->events)
        return true;
    if (events == 0)
        operation = EPOLL_CTL_DEL;
    else if (source->events == 0)
        operation = EPOLL_CTL_ADD;
    if (epoll_ctl(server.epoll_fd, operation, source->fd, &event) < 0)
        return false;
    source->events = events;
    return true;
}

static void
source_close(struct source *source)
{
    source_watch(source, 0);
    close(source->fd);
    source->fd = -1;
}

/* ---- stream -------------------------------------------------------------------------------- */

/* Whether epoll takes it, tried on a set of its own. What it refuses with EPERM, epoll_ctl(2), is
 * always ready. */
static bool
stream_pollable(int fd)
{
    struct epoll_event event = {.events = 0};
    int set = epoll_create1(EPOLL_CLOEXEC);
    bool refused = epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM;

    if (set >= 0)
        close(set);
    return !refused;
}

/* Whether opening it anew gives the same pipe or terminal. A pseudo-terminal's master side does
 * not: that makes another terminal, ptmx(4). */
static bool
stream_reopens(int fd, const struct stat *status)
{
    char name[32];

    return S_ISFIFO(status->st_mode) || (isatty(fd) && ptsname_r(fd, name, sizeof(name)) != 0);
}

/*
 * Sets up a stream on fd, for O_RDONLY or O_WRONLY. False, with errno, if it cannot be used so;
 * then it is set up all the same, and using it will fail.
 * The epoll set gets the descriptor that we were given, not the one that we open: a FIFO that is
 * opened anew after its last writer has gone would not report that it has.
 */
static bool
stream_open(struct stream *stream, int fd, int mode)
{
    struct stat status;
    char path[32];
    int flags = fcntl(fd, F_GETFL);

    *stream = (struct stream){.source.fd = fd, .fd = fd};
    if (flags < 0 || fstat(fd, &status) < 0)
        return false;
    if ((flags & O_ACCMODE) != mode && (flags & O_ACCMODE) != O_RDWR) {
        errno = EBADF;
        return false;
    }
    if (S_ISSOCK(status.st_mode)) {
        stream->kind = STREAM_SOCKET;
    } else if (!stream_pollable(fd)) {
        stream->kind = STREAM_FILE;
    } else {
        stream->kind = STREAM_SHARED;
        if (stream_reopens(fd, &status)) {
            snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
            stream->fd = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
            /* Another user's terminal (su), but our controlling one: tcgetsid(3) succeeds. */
            if (stream->fd < 0 && tcgetsid(fd) >= 0)
                stream->fd = open("/dev/tty", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        }
        if (stream->fd >= 0 && stream->fd != fd)
            stream->kind = STREAM_OWN;
        else
            stream->fd = fd;
    }
    return true;
}

/* The descriptor that we were given stays open: it is not ours to close. */
static void
stream_close(struct stream *stream)
{
    source_watch(&stream->source, 0);
    if (stream->fd != stream->source.fd)
        close(stream->fd);
    stream->fd = -1;
}

/* Whether a stream that is shared can be used right now; the others say so themselves. */
static bool
stream_can(const struct stream *stream, short events)
{
    struct pollfd one = {.fd = stream->fd, .events = events};

    if (stream->kind != STREAM_SHARED || poll(&one, 1, 0) > 0)
        return true;
    errno = EAGAIN;
    return false;
}

/* As read(2), and never blocks: EAGAIN. */
static ssize_t
stream_read(struct stream *stream, void *data, size_t size)
{
    if (!stream_can(stream, POLLIN))
        return -1;
    if (stream->kind == STREAM_SOCKET)
        return recv(stream->fd, data, size, MSG_DONTWAIT);
    return read(stream->fd, data, size);
}

/* As write(2), and never blocks: EAGAIN. */
static ssize_t
stream_write(struct stream *stream, const void *data, size_t size)
{
    if (!stream_can(stream, POLLOUT))
        return -1;
    if (stream->kind == STREAM_SOCKET)
        return send(stream->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (stream->kind == STREAM_SHARED && size > SHARED_WRITE_MAX)
        size = SHARED_WRITE_MAX;
    return write(stream->fd, data, size);
}

/* ---- log ----------------------------------------------------------------------------------- */

/* Has the client looked at in this turn. */
static void
client_wake(struct client *client)
{
    if (list_empty(&client->runnable))
        list_append(&server.runnable, &client->runnable);
}

static void
clients_wake(void)
{
    client_wake(&server.console);
    for (struct list *link = server.connections.next; link != &server.connections;
         link = link->next)
        client_wake(container_of(link, struct client, link));
}

/* Copies text with each byte that is not printable ASCII shown as \xNN; out is always ended with
 * a 0, and what does not fit is left out. */
static void
escape(char *out, size_t out_size, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;

    for (size_t i = 0; i < size && used + 5 <= out_size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= ' ' && byte <= '~') {
            out[used++] = (char)byte;
        } else {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[byte >> 4];
            out[used++] = hex[byte & 15];
        }
    }
    out[used] = '\0';
}

/* Writes "server: " and the message to standard error, if that takes it at once. */
__attribute__((format(printf, 1, 2))) static void
log_line(const char *format, ...)
{
    char message[PATH_MAX + 128], shown[PATH_MAX + 128], line[sizeof(shown) + 16];
    const char *start = "";
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    escape(shown, sizeof(shown), message, strlen(message));
    if (server.console.prompted && server.log_is_terminal) {
        start = "\r"; /* over the prompt, which is shown again below */
        server.console.prompted = false;
        client_wake(&server.console);
    }
    int size = snprintf(line, sizeof(line), "%sserver: %s\n", start, shown);
    if (stream_write(&server.log, line, (size_t)size) != size)
        server.log_dropped++;
}

/* ---- deadline ------------------------------------------------------------------------------ */

static int64_t
clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock, clock_gettime(2) */
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void
deadline_start(struct deadline *deadline, enum deadline_kind kind)
{
    list_unlink(&deadline->link);
    deadline->at_ns = server.now_ns + server.deadlines[kind].timeout_ns;
    list_append(&server.deadlines[kind].queue, &deadline->link);
}

static void
deadline_stop(struct deadline *deadline)
{
    list_remove(&deadline->link);
}

static void
retry_later(void)
{
    if (list_empty(&server.retry_deadline.link))
        deadline_start(&server.retry_deadline, DEADLINE_RETRY);
}

/* The earliest deadline of a kind if it is over, or NULL. */
static struct deadline *
deadline_over(enum deadline_kind kind)
{
    struct list *queue = &server.deadlines[kind].queue;
    struct deadline *first = container_of(queue->next, struct deadline, link);

    return list_empty(queue) || first->at_ns > server.now_ns ? NULL : first;
}

/* Arms the timerfd for the earliest deadline, or disarms it when there is none: an idle server is
 * not woken. One that is armed too early is left so: it costs one look at the clock. */
static void
deadlines_arm(void)
{
    struct itimerspec at = {0};
    int64_t earliest_ns = 0;

    for (int kind = 0; kind < DEADLINE_KINDS; kind++) {
        struct list *queue = &server.deadlines[kind].queue;
        if (list_empty(queue))
            continue;
        int64_t at_ns = container_of(queue->next, struct deadline, link)->at_ns;
        if (earliest_ns == 0 || at_ns < earliest_ns)
            earliest_ns = at_ns;
    }
    if (earliest_ns == server.timer_at_ns ||
        (earliest_ns != 0 && server.timer_at_ns != 0 && server.timer_at_ns < earliest_ns))
        return;
    at.it_value.tv_sec = (time_t)(earliest_ns / NS_PER_S);
    at.it_value.tv_nsec = (long)(earliest_ns % NS_PER_S);
    if (timerfd_settime(server.timer.fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        log_line("cannot set the timer: %s", strerror(errno)); /* the next turn tries again */
    else
        server.timer_at_ns = earliest_ns;
}

/* ---- request and call ---------------------------------------------------------------------- */

/* Clients or drivers have come or gone: each client has an equal share of what all may be owed. */
static void
owed_share_out(void)
{
    unsigned owed = OWED_PER_DRIVER * server.counts[DRIVER_READY];

    if (owed < OWED_MIN)
        owed = OWED_MIN;
    if (owed > OWED_MAX)
        owed = OWED_MAX;
    server.owed_share = owed / (server.connection_count + 1);
    if (server.owed_share < OWED_SHARE_MIN)
        server.owed_share = OWED_SHARE_MIN;
}

/* A reply to come, behind the client's earlier ones. Each field is set by itself, which is faster
 * than to clear the whole, and inline, as in call_new(): every command comes by here. NULL: no
 * memory. */
static inline struct request *
request_new(struct client *client)
{
    struct request *request = pool_get(&server.requests);

    if (request == NULL)
        return NULL;
    request->client = client;
    request->text = NULL;
    request->text_is_own = false;
    request->json = client->json;
    request->counted = false;
    request->listing = false;
    request->lines = 0;
    request->to_start = 0;
    request->starting = 0;
    list_init(&request->calls);
    list_append(&client->requests, &request->link);
    client->owed++;
    server.commands++;
    return request;
}

static void
request_free(struct request *request)
{
    list_unlink(&request->link);
    request->client->owed--;
    if (request->text_is_own) {
        request->client->owed -= TEXT_WEIGHT;
        pool_put(&server.texts, (char *)request->text);
    }
    pool_put(&server.requests, request);
}

/* The command was not taken after all: for lack of memory it is held, or has an Error instead. */
static void
request_abandon(struct request *request)
{
    server.commands--;
    request_free(request);
}

static void
run_text_free(struct run_text *text)
{
    if (text != NULL)
        pool_put(&server.run_texts, text);
}

/* What a RUN of that command has. NULL: no memory. */
static struct run *
run_new(const struct span *command)
{
    struct run *run = pool_get(&server.runs);
    struct run_text *text = pool_get(&server.run_texts);

    if (run == NULL || text == NULL) {
        if (run != NULL)
            pool_put(&server.runs, run);
        run_text_free(text);
        return NULL;
    }
    text->size = command->size;
    memcpy(text->bytes, command->at, command->size);
    run->text = text;
    run->output = 0;
    return run;
}

static void
run_free(struct run *run)
{
    run_text_free(run->text);
    pool_put(&server.runs, run);
}

static void
call_set_driver(struct call *call, struct driver *driver)
{
    call->driver = driver;
    call->pid = driver->pid;
    call->pid_text = driver->pid_text;
}

/* Makes a call one to run a command, unless run is NULL. */
static void
call_set_run(struct call *call, struct run *run)
{
    call->run = run;
    if (run == NULL)
        return;
    call->request->client->runs++;
    run->output = server.output_path != NULL ? ++server.outputs : 0;
}

/* The next line of the request; NULL request: nobody's. NULL driver: it is yet to be started, or
 * found. Returns NULL without memory. */
static inline struct call *
call_new(struct request *request, struct driver *driver, enum proto_type type)
{
    struct call *call = pool_get(&server.calls);

    if (call == NULL)
        return NULL;
    call->request = request;
    call->driver = NULL;
    call->pid = 0;
    if (driver != NULL)
        call_set_driver(call, driver);
    call->type = type;
    call->cancelled_id = 0; /* a cancel_task means whichever runs */
    call->duration_ms = 0;
    call->run = NULL;
    call->ongoing = false;
    call->outcome = CALL_PENDING;
    call->refusal = PROTO_OK;
    call->remaining_ms = 0;
    list_init(&call->of_driver);
    list_init(&call->deadline.link);
    if (request != NULL) {
        list_append(&request->calls, &call->of_request);
        request->client->owed++;
    }
    return call;
}

/* Not while a driver has it, or a deadline: see call_end(). */
static void
call_free(struct call *call)
{
    if (call->request != NULL) {
        list_unlink(&call->of_request);
        call->request->client->owed--;
        if (call->run != NULL) {
            call->request->client->runs--;
            run_free(call->run);
        }
    }
    pool_put(&server.calls, call);
}

/* The call has its outcome: the client can have the line. */
static void
call_end(struct call *call, enum call_outcome outcome)
{
    list_remove(&call->of_driver);
    deadline_stop(&call->deadline);
    call->driver = NULL;
    call->outcome = outcome;
    if (call->request == NULL)
        call_free(call);
    else
        client_wake(call->request->client);
}

/* The commands behind the request wait until it goes on; it has one call. */
static void
request_wait(struct request *request, struct list *list)
{
    list_append(list, &request->client->waiting);
    request->client->barrier = request;
}

/* A client waits no more. Returns the call that it was for, which is to have its outcome or a
 * driver now. */
static struct call *
client_resume(struct client *client)
{
    struct request *request = client->barrier;

    list_remove(&client->waiting);
    client->barrier = NULL;
    client_wake(client);
    return container_of(request->calls.next, struct call, of_request);
}

/* The same for the first of those that wait in a list. */
static struct call *
clients_resume_first(struct list *list)
{
    return client_resume(container_of(list->next, struct client, waiting));
}

static void
clients_resume(struct list *list, enum call_outcome outcome)
{
    while (!list_empty(list))
        call_end(clients_resume_first(list), outcome);
}

/* ---- driver -------------------------------------------------------------------------------- */

static void
driver_set_state(struct driver *driver, enum driver_state state)
{
    server.counts[driver->state]--;
    server.counts[state]++;
    driver->state = state;
    owed_share_out();
}

static struct driver **
driver_chain(pid_t pid)
{
    return &server.by_pid[(size_t)pid & (server.by_pid_size - 1)];
}

/* The one way from a pid to a driver; NULL if no driver that is not yet reaped has it. */
static struct driver *
driver_find(pid_t pid)
{
    struct driver *driver = *driver_chain(pid);

    while (driver != NULL && driver->pid != pid)
        driver = driver->next_hash;
    return driver;
}

/* Doubles the table when there are as many drivers as chains. Pids are handed out in sequence, so
 * their low bits spread well. Without memory the chains get longer, nothing else. */
static void
driver_table_grow(void)
{
    unsigned drivers = server.counts[DRIVER_STARTING] + server.counts[DRIVER_READY] +
                       server.counts[DRIVER_STOPPING];
    struct driver **old = server.by_pid;
    size_t old_size = server.by_pid_size;

    if (drivers < old_size)
        return;
    struct driver **table = calloc(old_size * 2, sizeof(*table));
    if (table == NULL)
        return;
    server.by_pid = table;
    server.by_pid_size = old_size * 2;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct driver *driver = old[i];
            old[i] = driver->next_hash;
            driver->next_hash = *driver_chain(driver->pid);
            *driver_chain(driver->pid) = driver;
        }
    }
    free(old);
}

static void
driver_table_remove(struct driver *driver)
{
    struct driver **at = driver_chain(driver->pid);

    while (*at != driver)
        at = &(*at)->next_hash;
    *at = driver->next_hash;
}

/* Has what waits for the driver sent at the end of this turn. */
static void
driver_send_later(struct driver *driver)
{
    if (driver->source.fd >= 0 && list_empty(&driver->unsent))
        list_append(&server.unsent, &driver->unsent);
}

/* Not after it was reaped: the pid may be somebody else's by then. */
static void
driver_kill(struct driver *driver)
{
    if (!driver->reaped && kill(driver->pid, SIGKILL) < 0)
        log_line("driver %d: cannot kill it: %s", driver->pid, strerror(errno));
}

/* Its state or its task has changed: goes on with who waits for it, and keeps count. */
static void
driver_changed(struct driver *driver)
{
    bool listed = driver->state == DRIVER_READY;
    bool engaged = listed && (driver->busy || driver->tasks_due > 0);
    bool idle = listed && !engaged && !driver->unresponsive;

    server.engaged += (unsigned)engaged - (unsigned)driver->engaged;
    driver->engaged = engaged;
    if (!idle)
        list_remove(&driver->idle);
    else if (list_empty(&driver->idle))
        list_append(&server.idle, &driver->idle);
    if (listed && !engaged)
        clients_resume(&driver->awaited, driver->unresponsive ? CALL_TIMEOUT : CALL_STATE);
}

/* Clients that were held back for room in its queue look again. */
static void
driver_release(struct driver *driver)
{
    while (!list_empty(&driver->held)) {
        struct client *client = container_of(driver->held.next, struct client, held);
        list_remove(&client->held);
        client_wake(client);
    }
}

/* Unlists a driver that is to end; DEADLINE_EXIT sees to it that it does. */
static void
driver_unlist(struct driver *driver)
{
    if (driver->state == DRIVER_STOPPING)
        return;
    driver_set_state(driver, DRIVER_STOPPING);
    deadline_start(&driver->deadline, DEADLINE_EXIT);
    driver_release(driver);
    driver_changed(driver);
}

/* Tells a driver to exit, behind all that it was asked before. */
static void
driver_dismiss(struct driver *driver)
{
    driver_unlist(driver);
    driver->exit_wanted = true;
    driver_send_later(driver);
}

/* Nothing more is sent to the driver or read from it. */
static void
driver_close(struct driver *driver)
{
    if (driver->source.fd < 0)
        return;
    source_close(&driver->source);
    list_remove(&driver->unsent);
    list_append(&server.ended, &driver->ended);
    server.ended_changed = true;
}

/* A driver that does what it must not: it is killed, and its end comes as any other. */
__attribute__((format(printf, 2, 3))) static void
driver_condemn(struct driver *driver, const char *format, ...)
{
    char why[128];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    log_line("driver %d: %s: killed", driver->pid, why);
    driver_close(driver);
    driver_unlist(driver);
    driver->condemned = true;
    driver_kill(driver);
}

static void
driver_condemn_malformed(struct driver *driver, const char *what, unsigned value)
{
    driver->birth_failure = CALL_MALFORMED;
    driver_condemn(driver, "%s %u", what, value);
}

/* Whether it keeps the driver busy. */
static bool
call_is_task(const struct call *call)
{
    return call->type == PROTO_TASK || call->type == PROTO_RUN;
}

/* One more, or one less (-1), of the calls that keep the driver busy is among those that it has not
 * answered. */
static void
driver_task_due(struct driver *driver, const struct call *call, int change)
{
    if (!call_is_task(call))
        return;
    driver->tasks_due += (unsigned)change;
    driver->runs_due += call->type == PROTO_RUN ? (unsigned)change : 0;
    driver_changed(driver);
}

/* Queues a call for the driver. */
static void
driver_call(struct driver *driver, struct call *call)
{
    list_append(&driver->queued, &call->of_driver);
    driver->queued_count++;
    driver_send_later(driver);
    driver_task_due(driver, call, 1);
}

/* A call that the driver had has its outcome. */
static void
driver_call_end(struct driver *driver, struct call *call, enum call_outcome outcome)
{
    driver_task_due(driver, call, -1);
    call_end(call, outcome);
}

/* A call that the driver had is answered, but ends only with the driver's command. If its client is
 * gone, nobody waits for that. */
static void
driver_call_goes_on(struct driver *driver, struct call *call)
{
    if (call->request->client->gone) {
        driver_call_end(driver, call, CALL_STOPPING);
        return;
    }
    list_remove(&call->of_driver);
    deadline_stop(&call->deadline);
    list_append(&driver->ongoing, &call->of_driver);
    call->ongoing = true;
    driver_task_due(driver, call, -1);
}

/* Takes back a task whose answer did not come in time: the client was told that it does not run.
 * The driver finds this behind the TASK, whenever it reads again. */
static void
driver_revoke(struct driver *driver, uint32_t task_id)
{
    if (driver->source.fd < 0)
        return;
    struct call *call = call_new(NULL, driver, PROTO_CANCEL);
    if (call == NULL) {
        driver_condemn(driver, "no memory to take back its task");
        return;
    }
    call->cancelled_id = task_id;
    driver_call(driver, call);
}

static void
driver_not_responding(struct driver *driver)
{
    if (!driver->unresponsive && driver->state == DRIVER_READY)
        log_line("driver %d is not responding", driver->pid);
    driver->unresponsive = true;
    driver_changed(driver);
    driver_send_later(driver); /* and if that finds the socket full, no list waits for it */
}

/* ---- driver: what it says ------------------------------------------------------------------ */

static void
driver_hello(struct driver *driver, const struct proto_frame *frame)
{
    if (driver->said_hello) {
        driver_condemn_malformed(driver, "a second HELLO, for pid", frame->hello.pid);
        return;
    }
    if (frame->hello.pid != (uint32_t)driver->pid) {
        driver_condemn_malformed(driver, "a HELLO of pid", frame->hello.pid);
        return;
    }
    driver->said_hello = true;
    server.kept_starting -= driver->kept;
    if (driver->state != DRIVER_STARTING)
        return; /* it was told to exit meanwhile */
    deadline_stop(&driver->deadline);
    driver_set_state(driver, DRIVER_READY);
    server.created++;
    if (server.verbose)
        log_line("driver %d started", driver->pid);
    driver_changed(driver);
    struct call *birth = driver->birth;
    if (birth == NULL)
        return;
    driver->birth = NULL;
    birth->request->starting--;
    call_end(birth, CALL_STATE);
}

static void
driver_task_started(struct driver *driver, const struct call *call)
{
    server.tasks++;
    if (server.verbose)
        log_line("driver %d task of %" PRIu64 ".%03u s started", driver->pid,
                 call->duration_ms / 1000, (unsigned)(call->duration_ms % 1000));
}

/* Requests are numbered from 1; the number after the last is 1 again. */
static uint32_t
id_after(uint32_t id)
{
    return id == UINT32_MAX ? 1 : id + 1;
}

static void
driver_command_started(struct driver *driver, const struct call *call)
{
    server.runs_started++;
    if (server.verbose)
        log_line("driver %d runs a command as process %d", call->pid, driver->command);
}

/* Whether that can be the answer to that call. */
static bool
answer_fits(const struct driver *driver, const struct call *call, const struct proto_state *state)
{
    switch (call->type) {
    case PROTO_TASK:
        return state->refusal == PROTO_REFUSED_LATE ||
               (state->busy && (state->refusal == PROTO_REFUSED_BUSY ||
                                (state->refusal == PROTO_OK && state->value == 0)));
    case PROTO_RUN:
        if (state->refusal == PROTO_REFUSED_EXEC)
            return !state->busy && state->value > 0 && state->value < INT_MAX;
        return state->refusal == PROTO_REFUSED_LATE ||
               (state->busy && (state->refusal == PROTO_REFUSED_BUSY ||
                                (state->refusal == PROTO_OK && state->value != 0)));
    case PROTO_CANCEL:
        if (state->refusal == PROTO_OK)
            return state->value == 0 && (!state->busy || driver->command != 0);
        return state->refusal == PROTO_REFUSED_FREE;
    default:
        return state->refusal == PROTO_OK && state->value == 0;
    }
}

/* The call has its answer. It ends with that, unless it has to wait for the end of a command. */
static void
call_answered(struct driver *driver, struct call *call, const struct proto_state *state)
{
    call->refusal = (enum proto_refusal)state->refusal;
    call->remaining_ms = state->remaining_ms;
    if (call->refusal == PROTO_REFUSED_EXEC)
        call->error = (int)state->value;
    if (call->type == PROTO_TASK && call->refusal == PROTO_OK)
        driver_task_started(driver, call);
    if (call->type == PROTO_RUN && call->refusal == PROTO_OK)
        driver_command_started(driver, call);
    if (call->refusal == PROTO_REFUSED_LATE)
        driver_call_end(driver, call, CALL_TIMEOUT);
    else if (call->refusal == PROTO_OK && driver->command != 0 &&
             (call->type == PROTO_RUN || (call->type == PROTO_CANCEL && call->request != NULL)))
        driver_call_goes_on(driver, call);
    else
        driver_call_end(driver, call, CALL_STATE);
}

/* Takes over whether the driver is busy, and with which command. False: it cannot be. */
static bool
driver_state_taken(struct driver *driver, uint32_t id, const struct proto_state *state)
{
    if (driver->command != 0 && !state->busy)
        return false;
    if (state->busy && state->refusal == PROTO_OK && state->value != 0) {
        if (driver->command != 0 || state->value > INT_MAX)
            return false;
        driver->command = (pid_t)state->value;
        driver->run_id = id;
    }
    if (driver->busy != state->busy) {
        driver->busy = state->busy;
        driver_changed(driver);
    }
    return true;
}

/* The answer to a request: the next one in order, or it is not an answer. */
static void
driver_answered(struct driver *driver, const struct proto_frame *frame)
{
    if (driver->answered_id == driver->sent_id ||
        frame->header.id != id_after(driver->answered_id)) {
        driver_condemn_malformed(driver, "an answer to no request, id", frame->header.id);
        return;
    }
    driver->answered_id = frame->header.id;
    if (!driver_state_taken(driver, frame->header.id, &frame->state)) {
        driver_condemn_malformed(driver, "a state that cannot be, of request", frame->header.id);
        return;
    }
    if (list_empty(&driver->in_flight))
        return; /* too late: the call has timed out */
    struct call *call = container_of(driver->in_flight.next, struct call, of_driver);
    if (call->id != frame->header.id)
        return; /* too late, and the next call is not answered yet */
    if (!answer_fits(driver, call, &frame->state)) {
        driver_condemn_malformed(driver, "an answer that does not fit request", call->id);
        return;
    }
    call_answered(driver, call, &frame->state);
}

static void
driver_task_ended(struct driver *driver, const struct proto_frame *frame)
{
    bool done = frame->end.outcome == PROTO_DONE;

    if (!driver->busy || driver->command != 0) {
        driver_condemn_malformed(driver, "the end of no task, outcome", frame->end.outcome);
        return;
    }
    driver->busy = false;
    driver_changed(driver);
    server.tasks_done += done;
    /* One that a cancel_task has ended has an answer to come; the stop's own has not. */
    server.cancelled_at_stop += !done && server.stopping && driver->answered_id == driver->sent_id;
    if (server.verbose)
        log_line("driver %d task %s", driver->pid, done ? "done" : "cancelled");
}

/* Ends the calls that were waiting for the end of the command. Returns whether it was cancelled by
 * one. */
static bool
driver_ongoing_end(struct driver *driver, const struct proto_result *result)
{
    bool cancelled = false;

    while (!list_empty(&driver->ongoing)) {
        struct call *call = container_of(driver->ongoing.next, struct call, of_driver);
        if (call->type == PROTO_RUN) {
            call->run->result = *result;
            call_end(call, CALL_DONE);
        } else {
            cancelled = true;
            call->remaining_ms = 0;
            call_end(call, CALL_STATE);
        }
    }
    return cancelled;
}

static void
driver_command_ended(struct driver *driver, uint32_t id, struct proto_result result)
{
    if (driver->command == 0 || driver->run_id != id) {
        driver_condemn_malformed(driver, "the result of no command, id", id);
        return;
    }
    driver->command = 0;
    driver->busy = false;
    driver_changed(driver);
    bool cancelled = driver_ongoing_end(driver, &result);
    server.runs_failed +=
        result.outcome == PROTO_SIGNALLED || (result.outcome == PROTO_EXITED && result.status != 0);
    server.runs_timed_out += result.outcome == PROTO_TIMED_OUT;
    server.cancelled_at_stop += result.outcome == PROTO_CANCELLED && server.stopping && !cancelled;
    if (server.verbose)
        log_line("driver %d command ended", driver->pid);
}

/* It has said a frame, which was decoded from data. */
static void
driver_said(struct driver *driver, const struct proto_frame *frame, const unsigned char *data)
{
    if (driver->unresponsive) {
        driver->unresponsive = false;
        driver_changed(driver);
        if (driver->state == DRIVER_READY)
            log_line("driver %d responds again", driver->pid);
    }
    if (frame->header.type == PROTO_HELLO)
        driver_hello(driver, frame);
    else if (!driver->said_hello)
        driver_condemn_malformed(driver, "no HELLO but a frame of type", frame->header.type);
    else if (frame->header.type == PROTO_STATE)
        driver_answered(driver, frame);
    else if (frame->header.type == PROTO_END)
        driver_task_ended(driver, frame);
    else
        driver_command_ended(driver, frame->header.id, proto_result(data));
}

static void
driver_condemn_frame(struct driver *driver, enum proto_verdict verdict,
                     const struct proto_header *header)
{
    switch (verdict) {
    case PROTO_BAD_VERSION:
        driver_condemn_malformed(driver, "bad frame version", header->version);
        break;
    case PROTO_BAD_TYPE:
        driver_condemn_malformed(driver, "bad frame type", header->type);
        break;
    case PROTO_BAD_LENGTH:
        driver_condemn_malformed(driver, "bad frame length", header->length);
        break;
    case PROTO_BAD_ID:
        driver_condemn_malformed(driver, "bad frame id", header->id);
        break;
    default:
        driver_condemn_malformed(driver, "bad body in a frame of type", header->type);
        break;
    }
}

/* Takes the frames that are whole; keeps the rest, less than a frame, in the driver. */
static void
driver_parse(struct driver *driver, const unsigned char *data, size_t size)
{
    struct proto_frame frame;
    enum proto_verdict verdict;
    size_t done = 0;

    while ((verdict = proto_decode(PROTO_FROM_DRIVER, data + done, size - done, &frame)) ==
           PROTO_COMPLETE) {
        driver_said(driver, &frame, data + done);
        done += proto_size(&frame);
        if (driver->source.fd < 0)
            return; /* condemned for what it said */
    }
    if (verdict != PROTO_INCOMPLETE) {
        driver_condemn_frame(driver, verdict, &frame.header);
        return;
    }
    driver->in_size = (uint8_t)(size - done);
    memcpy(driver->in, data + done, driver->in_size);
}

/* Its end of the socket is closed: it is about to exit, or else has to. One that has not said HELLO
 * has the time that it had for that. */
static void
driver_hangup(struct driver *driver)
{
    driver_close(driver);
    if (driver->state != DRIVER_STARTING)
        driver_unlist(driver);
}

/* Reads once from the driver and handles what came. Returns false when there is nothing more. */
static bool
driver_receive(struct driver *driver)
{
    if (driver->source.fd < 0)
        return false;
    memcpy(server.scratch, driver->in, driver->in_size);
    ssize_t n = recv(driver->source.fd, server.scratch + driver->in_size,
                     sizeof(server.scratch) - driver->in_size, 0);
    if (n > 0) {
        driver_parse(driver, server.scratch, driver->in_size + (size_t)n);
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n < 0 && errno != ECONNRESET) /* ECONNRESET: it closed without reading all, unix(7) */
        driver_condemn(driver, "cannot receive: %s", strerror(errno));
    else
        driver_hangup(driver);
    return false;
}

/* ---- driver: what it is told --------------------------------------------------------------- */

/* When a call that is handed over in this turn has timed out. */
static uint64_t
call_expires_ns(void)
{
    return (uint64_t)(server.now_ns + server.deadlines[DEADLINE_REPLY].timeout_ns);
}

/* Puts the frame of a RUN with that header at data. Returns its size. */
static size_t
run_put(const struct call *call, struct proto_header header, unsigned char *data)
{
    const struct run_text *text = call->run->text;
    struct proto_run run = {
        .limit_ms = call->duration_ms,
        .grace_ms = (uint64_t)(server.deadlines[DEADLINE_EXIT].timeout_ns / NS_PER_MS),
        .expires_ns = call_expires_ns(),
        .output = call->run->output,
    };

    header.length = (uint16_t)(header.length + text->size);
    memcpy(data, &header, sizeof(header));
    memcpy(data + sizeof(header), &run, sizeof(run));
    memcpy(data + sizeof(header) + sizeof(run), text->bytes, text->size);
    return sizeof(header) + header.length;
}

/* Puts the call's frame at data, where there is room for the longest. What it does not need of that
 * is written, too: a copy of fixed size is faster. Returns its size. */
static size_t
call_put(const struct call *call, uint32_t id, unsigned char *data)
{
    struct proto_frame frame = {.header = proto_header(PROTO_FROM_SERVER, call->type, id)};

    if (call->type == PROTO_RUN)
        return run_put(call, frame.header, data);
    if (call->type == PROTO_TASK) {
        frame.task.duration_ms = call->duration_ms;
        frame.task.expires_ns = call_expires_ns();
    } else if (call->type == PROTO_CANCEL) {
        frame.cancel.task_id = call->cancelled_id;
    }
    memcpy(data, &frame, sizeof(frame));
    return proto_size(&frame);
}

/* Puts the rest of a frame that was sent in part at data. Returns its size. */
static size_t
driver_rest(const struct driver *driver, unsigned char *data)
{
    const struct run_text *text = driver->out_text;

    memcpy(data, driver->out, driver->out_size);
    if (text != NULL)
        memcpy(data + driver->out_size, text->bytes + text->size - driver->out_text_size,
               driver->out_text_size);
    return driver->out_size + driver->out_text_size;
}

/* Puts the frames to be sent into data, the rest of the last one first. Returns their size. */
static size_t
driver_frames(const struct driver *driver, unsigned char *data, size_t room)
{
    size_t size = driver_rest(driver, data);
    uint32_t id = driver->sent_id;

    for (struct list *link = driver->queued.next; link != &driver->queued; link = link->next) {
        if (room - size < PROTO_TEXT_MAX + 2 * PROTO_FRAME_MAX)
            return size;
        id = id_after(id);
        size += call_put(container_of(link, struct call, of_driver), id, data + size);
    }
    if (driver->exit_wanted && !driver->exit_sent) {
        struct proto_header header = proto_header(PROTO_FROM_SERVER, PROTO_EXIT, 0);
        memcpy(data + size, &header, sizeof(header));
        size += sizeof(header);
    }
    return size;
}

/* The call is with the driver: from now on its time runs. A task that is taken back has no
 * deadline, since nobody waits for it. */
static void
call_handed_over(struct driver *driver, struct call *call)
{
    list_unlink(&call->of_driver);
    list_append(&driver->in_flight, &call->of_driver);
    driver->queued_count--;
    call->id = driver->sent_id = id_after(driver->sent_id);
    if (call->request != NULL)
        deadline_start(&call->deadline, DEADLINE_REPLY);
}

/* The text of the last frame that is sent is the call's; that of the one before it is not needed
 * any more. */
static void
driver_take_text(struct driver *driver, struct call *call)
{
    run_text_free(driver->out_text);
    driver->out_text = NULL;
    if (call != NULL && call->run != NULL) {
        driver->out_text = call->run->text;
        call->run->text = NULL;
        driver->ran = true;
    }
}

/* Accounts for the first sent bytes of what driver_frames() made. A frame of which a part was sent
 * counts as sent: its rest is kept, and goes first the next time. */
static void
driver_sent(struct driver *driver, const unsigned char *data, size_t sent)
{
    size_t at = driver->out_size + driver->out_text_size; /* where the next frame begins */

    while (at < sent && !list_empty(&driver->queued)) {
        struct call *call = container_of(driver->queued.next, struct call, of_driver);
        struct proto_header header;
        memcpy(&header, data + at, sizeof(header));
        at += sizeof(header) + header.length;
        driver_take_text(driver, call);
        call_handed_over(driver, call);
    }
    if (at < sent) {
        at += sizeof(struct proto_header);
        driver_take_text(driver, NULL);
        driver->exit_sent = true;
    }
    size_t left = at > sent ? at - sent : 0;
    size_t text_size = driver->out_text != NULL ? driver->out_text->size : 0;
    driver->out_text_size = (uint16_t)(left < text_size ? left : text_size);
    driver->out_size = (uint8_t)(left - driver->out_text_size);
    memmove(driver->out, data + sent, driver->out_size);
    if (driver->out_text_size == 0)
        driver_take_text(driver, NULL);
}

/* Its end takes nothing any more. What it said before is read; if that does not end with a hangup,
 * it has closed one direction only, and is of no use. */
static void
driver_closed(struct driver *driver)
{
    while (driver_receive(driver))
        ;
    if (driver->source.fd >= 0)
        driver_condemn(driver, "does not read any more");
}

/* Who is not kept waiting for a driver whose socket is full: a list, if the driver does not answer,
 * and a client that is gone. (Any other is held back.) */
static void
driver_unqueue(struct driver *driver)
{
    struct list *next;

    for (struct list *link = driver->queued.next; link != &driver->queued; link = next) {
        struct call *call = container_of(link, struct call, of_driver);
        const struct request *request = call->request;
        next = link->next;
        if (request == NULL ||
            !(request->client->gone || (request->listing && driver->unresponsive)))
            continue;
        driver->queued_count--;
        driver_call_end(driver, call, CALL_TIMEOUT);
    }
}

/* Sends as much as the socket takes; the rest waits for EPOLLOUT. */
static void
driver_flush(struct driver *driver)
{
    bool full = false;
    size_t size;

    list_remove(&driver->unsent);
    while (!full && (size = driver_frames(driver, server.scratch, sizeof(server.scratch))) > 0) {
        ssize_t sent = send(driver->source.fd, server.scratch, size, MSG_NOSIGNAL);
        if (sent >= 0) {
            driver_sent(driver, server.scratch, (size_t)sent);
        } else if (errno == EAGAIN) {
            full = true;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            driver_closed(driver);
            return;
        } else if (errno != EINTR) {
            driver_condemn(driver, "cannot send: %s", strerror(errno));
            return;
        }
    }
    if (!source_watch(&driver->source, full ? EPOLLIN | EPOLLOUT : EPOLLIN)) {
        driver_condemn(driver, "cannot watch it: %s", strerror(errno));
        return;
    }
    if (full && (driver->unresponsive || server.clients_gone > 0))
        driver_unqueue(driver);
    if (driver->queued_count < DRIVER_QUEUE_MAX)
        driver_release(driver);
}

static void
driver_ready(struct source *source, uint32_t events)
{
    struct driver *driver = container_of(source, struct driver, source);

    if (events & EPOLLOUT)
        driver_send_later(driver);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        driver_receive(driver);
}

/* ---- driver: its start --------------------------------------------------------------------- */

/*
 * Runs in the child, on a stack of its own but in the server's memory, while the server waits for
 * the exec (CLONE_VM, CLONE_VFORK): it may make system calls and write to *error, nothing else. Its
 * first takes it out of the server's descriptor table (CLONE_FILES), with a copy of the few that it
 * needs. The signal mask it was born with, all but faults blocked, is what the driver starts with.
 */
static int
spawn_child(void *error)
{
    /* Which execve(2) leaves alone. */
    char *argv[] = {(char *)server.driver_path, (char *)server.output_path, NULL};

    if (syscall(SYS_close_range, (unsigned)server.spawn_fd + 1, ~0U, RANGE_UNSHARE) < 0)
        goto failed;
    /* Until the driver has its own way to learn of our death: die with us. The parent's pid is
     * checked after, for a death before. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != server.pid || setpgid(0, 0) < 0)
        goto failed;
    /* dup2() clears close-on-exec in the copy. */
    if (dup2(server.null_fd, STDIN_FILENO) < 0 || dup2(server.null_fd, STDOUT_FILENO) < 0 ||
        dup2(server.spawn_fd, PROTO_FD) < 0)
        goto failed;
    if (setrlimit(RLIMIT_NOFILE, &server.nofile) < 0)
        goto failed;
    execve(server.driver_path, argv, server.driver_env);
failed:
    *(int *)error = errno;
    return 127;
}

/* Starts the process, at that end of a socketpair. Returns its pid, or -1 with errno. */
static pid_t
spawn_process(int socket)
{
    /* Free again when clone() returns, since that is after the exec. */
    static _Alignas(max_align_t) char stack[CHILD_STACK_SIZE];
    int error = 0;

    if (dup3(socket, server.spawn_fd, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = clone(spawn_child, stack + sizeof(stack), server.spawn_how, &error);
    /* The driver has its copy; ours would hide the end of the conversation. */
    dup3(server.null_fd, server.spawn_fd, O_CLOEXEC);
    if (pid < 0 || error == 0)
        return pid;
    /* The child is dead, and is reaped as any stranger is. */
    log_line("cannot run %s: %s", server.driver_path, strerror(error));
    errno = error;
    return -1;
}

/*
 * Sets up what starting needs. A child that got a copy of our descriptor table would take the
 * longer, at the copy and at the exec that closes it, the more drivers there are: 10,000 took three
 * times as long. So it shares the table until it has taken a copy of the lowest descriptors, up to
 * spawn_fd. valgrind 3.19 ends a program that clones so; it shows by not knowing clone3(2), which
 * every kernel that we run on does.
 */
static bool
spawn_open(void)
{
    server.spawn_how = CLONE_VM | CLONE_VFORK | SIGCHLD;
    if (syscall(SYS_clone3, NULL, 0) < 0 && errno != ENOSYS)
        server.spawn_how |= CLONE_FILES;
    server.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (server.null_fd < 0)
        return false;
    server.spawn_fd = fcntl(server.null_fd, F_DUPFD_CLOEXEC, PROTO_FD + 1);
    return server.spawn_fd >= 0;
}

/* Starts a driver; birth, where anybody waits for it, gets its outcome once it has said HELLO.
 * Returns NULL with errno. */
static struct driver *
driver_new(struct call *birth)
{
    int pair[2];
    struct driver *driver = calloc(1, sizeof(*driver));

    if (driver == NULL)
        return NULL;
    list_init(&driver->unsent);
    list_init(&driver->ended);
    list_init(&driver->queued);
    list_init(&driver->in_flight);
    list_init(&driver->ongoing);
    list_init(&driver->held);
    list_init(&driver->idle);
    list_init(&driver->awaited);
    list_init(&driver->deadline.link);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        goto no_pair;
    driver->source = (struct source){.fd = pair[0], .ready = driver_ready};
    if (!source_watch(&driver->source, EPOLLIN))
        goto no_process;
    driver->pid = spawn_process(pair[1]);
    if (driver->pid < 0)
        goto no_process;
    driver->pid_text.size = (uint8_t)snprintf(driver->pid_text.digits,
                                              sizeof(driver->pid_text.digits), "%d", driver->pid);
    close(pair[1]);
    driver_table_grow();
    driver->next_hash = *driver_chain(driver->pid);
    *driver_chain(driver->pid) = driver;
    list_append(&server.drivers, &driver->by_age);
    server.counts[DRIVER_STARTING]++;
    deadline_start(&driver->deadline, DEADLINE_START);
    driver->birth_failure = CALL_DEAD_BORN;
    driver->started_ns = server.now_ns;
    driver->birth = birth;
    if (birth != NULL)
        call_set_driver(birth, driver);
    return driver;

no_process:;
    int error = errno;
    source_close(&driver->source);
    close(pair[1]);
    errno = error;
no_pair:
    free(driver);
    return NULL;
}

/* ---- driver: its end ----------------------------------------------------------------------- */

/* "killed by signal 9", "exited with status 3" */
static const char *
status_text(int status)
{
    static char text[32];

    if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "killed by signal %d", WTERMSIG(status));
    else
        snprintf(text, sizeof(text), "exited with status %d", WEXITSTATUS(status));
    return text;
}

/* Ends a driver that a create_driver had started behind one that failed: its client will not hear
 * of it. */
static void
create_undo(struct call *call)
{
    struct driver *driver = driver_find(call->pid);

    if (call->outcome == CALL_PENDING) {
        driver->birth = NULL;
        call->request->starting--;
    }
    if (driver != NULL)
        driver_dismiss(driver);
    call_free(call);
}

/* An Error closes the lines of a create_driver: nothing more is started for it, and what was
 * started behind the one that failed is ended again. */
static void
create_cut(struct call *failed)
{
    struct request *request = failed->request;

    request->to_start = 0;
    while (request->calls.prev != &failed->of_request)
        create_undo(container_of(request->calls.prev, struct call, of_request));
}

static void
driver_end_birth(struct driver *driver, int status)
{
    struct call *birth = driver->birth;

    if (birth == NULL)
        return;
    driver->birth = NULL;
    birth->request->starting--;
    create_cut(birth);
    birth->status = status;
    call_end(birth, server.stopping ? CALL_STOPPING : driver->birth_failure);
}

static void
call_end_died(struct call *call, int status)
{
    call->status = status;
    call_end(call, server.stopping ? CALL_STOPPING : CALL_DIED);
}

static void
calls_end_died(struct list *calls, int status)
{
    while (!list_empty(calls))
        call_end_died(container_of(calls->next, struct call, of_driver), status);
}

static void
driver_log_end(const struct driver *driver, int status)
{
    bool failed = WIFEXITED(status) && WEXITSTATUS(status) != 0;

    if (!driver->exit_wanted) {
        server.died++;
        log_line("driver %d died (%s)", driver->pid, status_text(status));
    } else if (failed || server.verbose) {
        log_line("driver %d ended (%s)", driver->pid, status_text(status));
    }
}

/* Commands may be looked at: the first drivers are up, or cannot be. */
static void
server_warmed_up(void)
{
    if (server.warming_up)
        clients_wake();
    server.warming_up = false;
}

/* Puts off the start of drivers that are missing, twice as long as the last time. */
static void
kept_back_off(void)
{
    if (!list_empty(&server.replace_deadline.link))
        return;
    server.backoff_ms = server.backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * server.backoff_ms;
    if (server.backoff_ms > BACKOFF_MAX_MS)
        server.backoff_ms = BACKOFF_MAX_MS;
    server.deadlines[DEADLINE_REPLACE].timeout_ns = server.backoff_ms * NS_PER_MS;
    deadline_start(&server.replace_deadline, DEADLINE_REPLACE);
    server_warmed_up();
}

/* A driver that is kept has ended. Unless it was deleted or, by TERM, told to exit, another one is
 * to take its place: at once, or later if it did not live for long or never came up. */
static void
kept_ended(const struct driver *driver, int status)
{
    bool told =
        driver->said_hello && !driver->condemned && WIFEXITED(status) && WEXITSTATUS(status) == 0;

    server.kept_starting -= !driver->said_hello;
    if (server.stopping || driver->exit_wanted || told)
        return;
    server.kept_missing++;
    server.kept_died++;
    if (!driver->said_hello || server.now_ns - driver->started_ns < YOUNG_MS * NS_PER_MS)
        kept_back_off();
    else if (list_empty(&server.replace_deadline.link))
        server.backoff_ms = 0;
}

/* The driver was reaped. All that it said is read, then its death is judged, then it is dropped. */
static void
driver_reaped(struct driver *driver, int status)
{
    driver->reaped = true;
    while (driver_receive(driver))
        ;
    driver_close(driver);
    list_remove(&driver->ended);
    driver_unlist(driver);
    if (driver->busy && server.stopping)
        server.cancelled_at_stop++;
    driver_log_end(driver, status);
    if (driver->kept)
        kept_ended(driver, status);
    driver_end_birth(driver, status);
    calls_end_died(&driver->ongoing, status);
    calls_end_died(&driver->in_flight, status);
    calls_end_died(&driver->queued, status);
    driver_take_text(driver, NULL);
    if (driver->ran && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        server.orphans = server.orphans_changed = true;
    while (!list_empty(&driver->awaited))
        call_end_died(clients_resume_first(&driver->awaited), status);
    if (driver->death != NULL)
        call_end(driver->death, CALL_DELETED);
    deadline_stop(&driver->deadline);
    driver_table_remove(driver);
    server.counts[driver->state]--;
    list_remove(&driver->by_age);
    list_append(&server.dropped, &driver->by_age);
}

/* Those are kept of which there are orphans that only the session of their command tells, unless
 * all are to be freed. */
static void
drivers_free_dropped(bool all)
{
    struct list *next;

    for (struct list *link = server.dropped.next; link != &server.dropped; link = next) {
        struct driver *driver = container_of(link, struct driver, by_age);
        next = link->next;
        if (driver->left_orphans && !all)
            continue;
        list_unlink(&driver->by_age);
        free(driver);
    }
}

/* Reaps a child that is dead: that one, or any (-1). False if there is none. */
static bool
child_reap(pid_t pid)
{
    int status;
    pid_t dead;

    while ((dead = waitpid(pid, &status, WNOHANG)) < 0 && errno == EINTR)
        ;
    if (dead <= 0)
        return false;
    struct driver *driver = driver_find(dead);
    if (driver != NULL)
        driver_reaped(driver, status);
    else
        server.orphans_changed = server.orphans;
    return true;
}

/*
 * A child has died, perhaps that one, and others with it: one SIGCHLD may stand for many deaths,
 * signal(7). Drivers among them are found by the end of their sockets. A search among all children
 * takes the longer the more there are (a millisecond with 10,000), so it is made a moment later,
 * once for all that die until then: strangers that we were given (as process 1, or by a program
 * that became us by exec), and drivers whose socket somebody else holds open.
 */
static void
child_died(pid_t hint)
{
    child_reap(hint);
    server.ended_changed = true;
    if (list_empty(&server.sweep_deadline.link))
        deadline_start(&server.sweep_deadline, DEADLINE_SWEEP);
}

/* Reaps those of which nothing but their death is to come, where it has. */
static void
drivers_reap_ended(void)
{
    struct list *next;

    if (!server.ended_changed)
        return;
    server.ended_changed = false;
    for (struct list *link = server.ended.next; link != &server.ended; link = next) {
        next = link->next;
        child_reap(container_of(link, struct driver, ended)->pid);
    }
}

/* ---- what drivers leave behind ------------------------------------------------------------- */

/* Whether a child is of a driver that was reaped: in the session of its command. Session 0 is one
 * that began outside of our pid namespace: no command's. */
static bool
orphan_of_dropped(pid_t pid)
{
    pid_t session = getsid(pid);

    for (struct list *link = server.dropped.next; session > 0 && link != &server.dropped;
         link = link->next) {
        struct driver *driver = container_of(link, struct driver, by_age);
        if (driver->command == session) {
            driver->left_orphans = true;
            return true;
        }
    }
    return false;
}

/* Kills a child if a driver has left it, and the process group that it is in. A command has a
 * session of its own: whoever is in ours was there before us, or came with a driver. Returns
 * whether it was left. It is not reaped, so the pid is its own. */
static bool
orphan_kill(pid_t pid)
{
    if (driver_find(pid) != NULL || getsid(pid) == getsid(0))
        return false;
    if (!server.childless && !orphan_of_dropped(pid))
        return false;
    pid_t group = getpgid(pid);
    if (group > 0)
        kill(-group, SIGKILL);
    kill(pid, SIGKILL); /* it may have changed its group since */
    return true;
}

/*
 * A driver that had commands was killed, or has failed. What it has left has become ours, since we
 * are a subreaper, and is killed. What that leaves in turn is found when it is reaped.
 */
static void
orphans_kill(void)
{
    char text[1024];
    pid_t pid = 0;
    ssize_t n = -1;

    if (!server.orphans_changed)
        return;
    server.orphans = server.orphans_changed = false;
    close(server.spawn_fd); /* there may be no other descriptor */
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    for (struct list *link = server.dropped.next; link != &server.dropped; link = link->next)
        container_of(link, struct driver, by_age)->left_orphans = fd < 0 && errno != ENOENT;
    /* Numbers, each with a blank behind it, proc(5). */
    while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid > 0) {
                server.orphans |= orphan_kill(pid);
                pid = 0;
            }
        }
    }
    if (n < 0) {
        server.orphans = errno != ENOENT; /* then there is no /proc, and will be none */
        log_line("cannot look for what a driver has left: %s", strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    dup3(server.null_fd, server.spawn_fd, O_CLOEXEC);
    if (server.orphans)
        retry_later(); /* if none of them is reaped meanwhile */
}

/* ---- who started us ------------------------------------------------------------------------ */

/* Tells a service manager, see sd_notify(3). */
static void
notify(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");

    if (path == NULL)
        return;
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path)) {
        log_line("cannot notify %s: it is no path of a socket", path);
        return;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract one, unix(7) */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
        log_line("cannot notify %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Tells that commands are taken, and that the drivers that are kept are up. */
static void
server_announce(void)
{
    struct stream ready;

    server.announced = true;
    server_warmed_up();
    notify("READY=1\nSTATUS=Running");
    if (server.ready_fd < 0)
        return;
    if (!stream_open(&ready, server.ready_fd, O_WRONLY) || stream_write(&ready, "\n", 1) != 1)
        log_line("cannot write to descriptor %d: %s", server.ready_fd, strerror(errno));
    stream_close(&ready);
    close(server.ready_fd);
}

/* ---- stop ---------------------------------------------------------------------------------- */

/*
 * Begins to stop the server, or, if it has begun, ends what is left of it at once. All else
 * follows from the state: no command is run any more, drivers exit or are killed after the grace,
 * and the loop ends when the last is reaped and the last reply is written.
 */
static void
server_stop(bool at_once)
{
    if (server.stopping || at_once) {
        server.out_of_time = true;
        for (struct list *link = server.drivers.next; link != &server.drivers; link = link->next)
            driver_kill(container_of(link, struct driver, by_age));
    }
    if (server.stopping)
        return;
    server.stopping = true;
    notify("STOPPING=1\nSTATUS=Stopping");
    server.kept_missing = 0;
    deadline_stop(&server.replace_deadline);
    deadline_start(&server.stop_deadline, DEADLINE_STOP);
    for (struct list *link = server.drivers.next; link != &server.drivers; link = link->next) {
        struct driver *driver = container_of(link, struct driver, by_age);
        driver_dismiss(driver);
        clients_resume(&driver->awaited, CALL_STOPPING);
    }
    clients_resume(&server.any_waiting, CALL_STOPPING);
    clients_resume(&server.all_waiting, CALL_STOPPING);
    server.warming_up = false;
    clients_wake();
}

static void
server_fail(const char *what, int error)
{
    log_line("%s: %s", what, strerror(error));
    server.exit_status = EXIT_FAILURE;
    if (!server.stopping)
        server_stop(false);
}

/* ---- deadlines that are over --------------------------------------------------------------- */

/* Tries again what has failed for lack of memory or descriptors. */
static void
server_retry(void)
{
    server.memory_freed = true; /* perhaps by another process */
    server.orphans_changed = server.orphans;
    if (server.listener.fd >= 0 && !source_watch(&server.listener, EPOLLIN))
        retry_later();
}

static void
call_timed_out(struct call *call)
{
    struct driver *driver = call->driver;

    /* The answer may be there, and unread because it was we who were stopped. */
    if (driver_receive(driver))
        return;
    server.unanswered++;
    driver_not_responding(driver);
    if (call_is_task(call))
        driver_revoke(driver, call->id);
    driver_call_end(driver, call, server.stopping ? CALL_STOPPING : CALL_TIMEOUT);
}

static void
driver_start_timed_out(struct driver *driver)
{
    if (driver_receive(driver))
        return;
    driver->birth_failure = CALL_LATE_BORN;
    driver_condemn(driver, "did not come up in %d s", START_TIMEOUT_S);
}

/* Its time starts again, so that it is looked at until it is gone. */
static void
driver_exit_timed_out(struct driver *driver)
{
    if (child_reap(driver->pid))
        return;
    log_line("driver %d did not exit in time: killed", driver->pid);
    driver_kill(driver);
    deadline_start(&driver->deadline, DEADLINE_EXIT);
}

/* What is over is ended, and with it its deadline; what answered at the last moment has ended its
 * deadline itself. */
static void
timer_ready(struct source *source, uint32_t events)
{
    struct deadline *deadline;
    uint64_t expirations;

    (void)events;
    if (read(source->fd, &expirations, sizeof(expirations)) < 0)
        return; /* armed anew since epoll reported it */
    server.timer_at_ns = 0;
    while ((deadline = deadline_over(DEADLINE_REPLY)) != NULL)
        call_timed_out(container_of(deadline, struct call, deadline));
    while ((deadline = deadline_over(DEADLINE_START)) != NULL)
        driver_start_timed_out(container_of(deadline, struct driver, deadline));
    while ((deadline = deadline_over(DEADLINE_EXIT)) != NULL)
        driver_exit_timed_out(container_of(deadline, struct driver, deadline));
    if ((deadline = deadline_over(DEADLINE_STOP)) != NULL) {
        deadline_stop(deadline);
        server.out_of_time = true;
    }
    if ((deadline = deadline_over(DEADLINE_SWEEP)) != NULL) {
        deadline_stop(deadline);
        while (child_reap(-1))
            ;
    }
    if ((deadline = deadline_over(DEADLINE_RETRY)) != NULL) {
        deadline_stop(deadline);
        server_retry();
    }
    if ((deadline = deadline_over(DEADLINE_REPLACE)) != NULL)
        deadline_stop(deadline); /* see kept_start() */
}

/* ---- replies ------------------------------------------------------------------------------- */

/* {"driver":4711,"state":"busy","left_ms":2750} */
static void
reply_state_json(struct buffer *out, pid_t pid, const char *state, uint64_t left_ms)
{
    buffer_append_string(out, "{\"driver\":");
    buffer_append_number(out, (uint64_t)pid);
    buffer_append_string(out, ",\"state\":\"");
    buffer_append_string(out, state);
    buffer_append_string(out, "\"");
    if (left_ms > 0) {
        buffer_append_string(out, ",\"left_ms\":");
        buffer_append_number(out, left_ms);
    }
    buffer_append_string(out, "}\n");
}

/* "Driver 4711 Available", "Driver 4711 Busy 3"; inline, since most replies are just that. */
static inline void
reply_state(struct request *request, const struct call *call)
{
    struct buffer *out = &request->client->output;

    if (request->json) {
        reply_state_json(out, call->pid, call->remaining_ms == 0 ? "available" : "busy",
                         call->remaining_ms);
        return;
    }
    buffer_append_string(out, "Driver ");
    buffer_append(out, call->pid_text.digits, call->pid_text.size);
    if (call->remaining_ms == 0) {
        buffer_append_string(out, " Available\n");
        return;
    }
    buffer_append_string(out, " Busy ");
    buffer_append_number(out, (call->remaining_ms + 999) / 1000);
    buffer_append_string(out, "\n");
}

/* What has no time left: "Driver 4711 Deleted". */
static void
reply_word(struct request *request, pid_t pid, const char *word, const char *word_json)
{
    struct buffer *out = &request->client->output;

    if (request->json) {
        reply_state_json(out, pid, word_json, 0);
        return;
    }
    buffer_append_string(out, "Driver ");
    buffer_append_number(out, (uint64_t)pid);
    buffer_append_string(out, word);
}

/* "2 drivers" */
static void
reply_count(struct request *request)
{
    struct buffer *out = &request->client->output;

    if (request->json)
        buffer_append_string(out, "{\"count\":");
    buffer_append_number(out, request->lines);
    if (request->json)
        buffer_append_string(out, "}\n");
    else
        buffer_append_string(out, request->lines == 1 ? " driver\n" : " drivers\n");
}

/* How a command has ended. */
static const char *
outcome_name(uint32_t outcome)
{
    switch (outcome) {
    case PROTO_EXITED:
        return "exit";
    case PROTO_SIGNALLED:
        return "signal";
    case PROTO_TIMED_OUT:
        return "timeout";
    default:
        return "cancelled";
    }
}

/* "ms":12.3 */
static void
reply_ms_json(struct buffer *out, const char *name, uint64_t us)
{
    buffer_append_string(out, ",\"");
    buffer_append_string(out, name);
    buffer_append_string(out, "\":");
    buffer_append_number(out, us / 1000);
    buffer_append_string(out, ".");
    buffer_append_number(out, us % 1000 / 100);
}

/* The name of a file that took what a command has written. */
static void
reply_output(struct buffer *out, const struct run *run, const char *suffix, bool json)
{
    for (const char *at = server.output_path; *at != '\0'; at++) {
        if (json && (*at == '"' || *at == '\\'))
            buffer_append_string(out, "\\");
        buffer_append(out, at, 1);
    }
    buffer_append_string(out, "/");
    buffer_append_number(out, run->output);
    buffer_append_string(out, suffix);
}

/* {"driver":4711,"exit":0,"ms":12.3,...} */
static void
reply_done_json(struct buffer *out, const struct call *call)
{
    const struct proto_result *result = &call->run->result;
    bool ours = result->outcome == PROTO_TIMED_OUT || result->outcome == PROTO_CANCELLED;

    buffer_append_string(out, "{\"driver\":");
    buffer_append_number(out, (uint64_t)call->pid);
    buffer_append_string(out, ",\"");
    buffer_append_string(out, outcome_name(result->outcome));
    buffer_append_string(out, "\":");
    if (ours)
        buffer_append_string(out, "true");
    else
        buffer_append_number(out, result->status);
    reply_ms_json(out, "ms", result->elapsed_us);
    reply_ms_json(out, "user_ms", result->user_us);
    reply_ms_json(out, "sys_ms", result->system_us);
    buffer_append_string(out, ",\"maxrss_kb\":");
    buffer_append_number(out, result->maxrss_kb);
    if (call->run->output != 0) {
        buffer_append_string(out, ",\"out\":\"");
        reply_output(out, call->run, ".out", true);
        buffer_append_string(out, "\",\"err\":\"");
        reply_output(out, call->run, ".err", true);
        buffer_append_string(out, "\"");
    }
    buffer_append_string(out, "}\n");
}

/* "Driver 4711 Done exit 0", "Driver 4711 Done timeout" */
static void
reply_done(struct request *request, const struct call *call)
{
    struct buffer *out = &request->client->output;
    const struct proto_result *result = &call->run->result;

    if (request->json) {
        reply_done_json(out, call);
        return;
    }
    buffer_append_string(out, "Driver ");
    buffer_append_number(out, (uint64_t)call->pid);
    buffer_append_string(out, " Done ");
    buffer_append_string(out, outcome_name(result->outcome));
    if (result->outcome == PROTO_EXITED || result->outcome == PROTO_SIGNALLED) {
        buffer_append_string(out, " ");
        buffer_append_number(out, result->status);
    }
    if (call->run->output != 0) {
        buffer_append_string(out, " ");
        reply_output(out, call->run, ".out", false);
        buffer_append_string(out, " ");
        reply_output(out, call->run, ".err", false);
    }
    buffer_append_string(out, "\n");
}

/* Makes a line of TEXT_SIZE of an Error, which is printable ASCII. Returns its size. */
static size_t
error_line(char *line, bool json, const char *code, const char *message)
{
    char quoted[TEXT_SIZE], *at = quoted;
    int size;

    if (!json) {
        size = snprintf(line, TEXT_SIZE, "Error: %s\n", message);
    } else {
        for (; *message != '\0' && at < quoted + sizeof(quoted) - 2; message++) {
            if (*message == '"' || *message == '\\')
                *at++ = '\\';
            *at++ = *message;
        }
        *at = '\0';
        size = snprintf(line, TEXT_SIZE, "{\"error\":\"%s\",\"code\":\"%s\"}\n", quoted, code);
    }
    assert(size > 0 && size < TEXT_SIZE);
    return (size_t)size;
}

/* An Error; rare, so printf is good enough. code: what a program may look at. */
__attribute__((format(printf, 3, 4))) static void
reply_error(struct request *request, const char *code, const char *format, ...)
{
    char message[TEXT_SIZE], line[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    server.errors++;
    size_t size = error_line(line, request->json, code, message);
    buffer_append(&request->client->output, line, size);
}

/* One Driver line of a list; one that died meanwhile has none. Returns the number of lines. */
static unsigned
reply_listed(struct request *request, const struct call *call)
{
    if (call->outcome == CALL_STATE)
        reply_state(request, call);
    else if (call->outcome != CALL_DIED)
        reply_word(request, call->pid, " Unresponsive\n", "unresponsive");
    return call->outcome != CALL_DIED;
}

static void
reply_refused(struct request *request, const struct call *call)
{
    if (call->refusal == PROTO_REFUSED_EXEC)
        reply_error(request, "cannot_run", "cannot run: %s", strerror(call->error));
    else if (call->refusal == PROTO_REFUSED_BUSY)
        reply_error(request, "busy", "driver %d Busy %" PRIu64, call->pid,
                    (call->remaining_ms + 999) / 1000);
    else
        reply_error(request, "no_task", "driver %d has no task", call->pid);
}

/* The line of a create_driver that has failed. */
static void
reply_not_created(struct request *request, const struct call *call)
{
    char why[64];

    if (call->outcome == CALL_DEAD_BORN)
        snprintf(why, sizeof(why), "died (%s)", status_text(call->status));
    else if (call->outcome == CALL_LATE_BORN)
        snprintf(why, sizeof(why), "did not come up in %d s", START_TIMEOUT_S);
    else
        snprintf(why, sizeof(why), "broke the protocol");
    reply_error(request, "cannot_create", "cannot create driver: %d %s", call->pid, why);
}

/* Writes the line that the call's outcome makes. Returns whether it is a Driver line. */
static bool
reply_line(struct request *request, const struct call *call)
{
    switch (call->outcome) {
    case CALL_STATE:
        if (call->refusal != PROTO_OK) {
            reply_refused(request, call);
            return false;
        }
        reply_state(request, call);
        return true;
    case CALL_DONE:
        reply_done(request, call);
        return true;
    case CALL_DELETED:
        reply_word(request, call->pid, " Deleted\n", "deleted");
        return true;
    case CALL_TIMEOUT:
        reply_error(request, "not_responding", "driver %d is not responding", call->pid);
        break;
    case CALL_DIED:
        reply_error(request, "died", "driver %d died (%s)", call->pid, status_text(call->status));
        break;
    case CALL_NOT_BORN:
        reply_error(request, "cannot_create", "cannot create driver: %s", strerror(call->error));
        break;
    case CALL_DEAD_BORN:
    case CALL_LATE_BORN:
    case CALL_MALFORMED:
        reply_not_created(request, call);
        break;
    case CALL_NO_DRIVER:
        reply_error(request, "no_driver", "no driver");
        break;
    case CALL_PENDING:
    case CALL_STOPPING:
        assert(call->outcome != CALL_PENDING);
        reply_error(request, "stopping", "server is stopping");
        break;
    }
    return false;
}

/* Writes what can be written of a request: its text, or the lines that are next in order and have
 * their outcome. Returns true if nothing is left; sets client.output_full if room was lacking. */
static bool
request_write(struct request *request)
{
    struct client *client = request->client;
    struct buffer *out = &client->output;

    if (request->text != NULL) {
        client->output_full = buffer_room(out) < request->text_size;
        if (!client->output_full)
            buffer_append(out, request->text, request->text_size);
        return !client->output_full;
    }
    while (!list_empty(&request->calls)) {
        struct call *call = container_of(request->calls.next, struct call, of_request);
        if (call->outcome == CALL_PENDING)
            return false;
        client->output_full = buffer_room(out) < REPLY_SIZE;
        if (client->output_full)
            return false;
        request->lines +=
            request->listing ? reply_listed(request, call) : reply_line(request, call);
        call_free(call);
    }
    client->output_full = buffer_room(out) < REPLY_SIZE;
    if (client->output_full || request->to_start > 0)
        return false;
    if (request->counted)
        reply_count(request);
    return true;
}

/* There is no memory for what is to be done next for the client: that is tried again when some was
 * given back, or a moment later. */
static void
client_lacks_memory(struct client *client)
{
    if (list_empty(&client->lacking))
        list_append(&server.lacking, &client->lacking);
    retry_later();
}

/* Writes the replies that are next in order into the client's output. Returns whether there were
 * any. */
static bool
client_reply(struct client *client)
{
    bool progress = false;

    client->output_full = false;
    while (!list_empty(&client->requests)) {
        struct request *request = container_of(client->requests.next, struct request, link);
        if (client->output.data == NULL && !buffer_prepare(&client->output)) {
            client_lacks_memory(client);
            return progress;
        }
        size_t before = client->output.end;
        bool finished = request_write(request);
        progress |= finished || client->output.end != before;
        if (!finished)
            break;
        if (client->barrier == request)
            client->barrier = NULL;
        request_free(request);
    }
    buffer_consume(&client->output, 0); /* gives back a block that nothing was put into */
    return progress;
}

/* ---- commands ------------------------------------------------------------------------------ */

/* Answers a command at once, with a text that stays. */
static enum handling
client_answer(struct client *client, const char *text, size_t size)
{
    struct request *request = request_new(client);

    if (request == NULL)
        return COMMAND_HELD;
    request->text = text;
    request->text_size = size;
    return COMMAND_TAKEN;
}

/* The same with a text from server.texts; without memory that is given back. */
static enum handling
client_answer_own(struct client *client, char *text, size_t size)
{
    if (client_answer(client, text, size) == COMMAND_HELD) {
        pool_put(&server.texts, text);
        return COMMAND_HELD;
    }
    container_of(client->requests.prev, struct request, link)->text_is_own = true;
    client->owed += TEXT_WEIGHT;
    return COMMAND_TAKEN;
}

/* Answers a command with an Error, which counts unless the command is held and looked at again. */
__attribute__((format(printf, 3, 4))) static enum handling
client_error(struct client *client, const char *code, const char *format, ...)
{
    char message[TEXT_SIZE], *line = pool_get(&server.texts);
    va_list args;

    if (line == NULL)
        return COMMAND_HELD;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (client_answer_own(client, line, error_line(line, client->json, code, message)) ==
        COMMAND_HELD)
        return COMMAND_HELD;
    server.errors++;
    return COMMAND_TAKEN;
}

/* A word as an Error repeats it. */
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

/* Plain decimal digits. A number above max counts as max + 1. False: something else. */
static bool
digits_parse(const char *at, size_t size, uint64_t max, uint64_t *value)
{
    *value = 0;
    if (size == 0)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        if (*value <= max)
            *value = *value * 10 + (uint64_t)(at[i] - '0');
    }
    if (*value > max)
        *value = max + 1;
    return true;
}

/* "3", "0.25": above 0, at most PROTO_TASK_MAX_MS, at most three digits behind the point. */
static bool
seconds_parse(const char *at, size_t size, uint64_t *value_ms)
{
    const char *point = memchr(at, '.', size);
    size_t whole = point != NULL ? (size_t)(point - at) : size;
    size_t behind = point != NULL ? size - whole - 1 : 0;
    uint64_t seconds, fraction = 0;

    if (!digits_parse(at, whole, PROTO_TASK_MAX_MS / 1000, &seconds))
        return false;
    if (point != NULL && (behind > 3 || !digits_parse(point + 1, behind, 999, &fraction)))
        return false;
    for (; behind < 3; behind++)
        fraction *= 10;
    *value_ms = seconds * 1000 + fraction;
    return *value_ms >= 1 && *value_ms <= PROTO_TASK_MAX_MS;
}

/* Answers a command with a word that names no listed driver. */
static enum handling
command_no_driver(struct client *client, const struct span *word, bool is_pid)
{
    if (!is_pid)
        return client_error(client, "bad_pid", "bad pid '%s'", echo_word(word).text);
    return client_error(client, "no_driver", "no driver %s", echo_word(word).text);
}

/* The listed driver that a word names. NULL: *handling tells what becomes of the command. */
static struct driver *
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

/* The same, for something to ask it: if its queue is full, the client is held back. */
static struct driver *
command_driver_to_ask(struct client *client, const struct span *word, enum handling *handling)
{
    struct driver *driver = command_driver(client, word, handling);

    if (driver == NULL)
        return NULL;
    /* One who waits for nothing yet is let in: others who flood the driver must not keep it out. */
    if (driver->queued_count >= DRIVER_QUEUE_MAX && client->owed > 0) {
        list_append(&driver->held, &client->held);
        *handling = COMMAND_HELD;
        return NULL;
    }
    return driver;
}

/* A request of one call, for that driver or, NULL, one that is yet to be found. NULL: no memory,
 * the command is held. */
static struct call *
command_call(struct client *client, struct driver *driver, enum proto_type type)
{
    struct request *request = request_new(client);

    if (request == NULL)
        return NULL;
    struct call *call = call_new(request, driver, type);
    if (call == NULL)
        request_abandon(request);
    return call;
}

/* Asks the driver that the word names. NULL: *handling tells what becomes of the command. The
 * caller may add to the call, of which the frame is made later in this turn. */
static struct call *
command_ask(struct client *client, const struct span *word, enum proto_type type,
            enum handling *handling)
{
    struct driver *driver = command_driver_to_ask(client, word, handling);

    if (driver == NULL)
        return NULL;
    struct call *call = command_call(client, driver, type);
    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call != NULL)
        driver_call(driver, call);
    return call;
}

static enum handling
run_get_status(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;

    (void)count;
    command_ask(client, &args[0], PROTO_STATUS, &handling);
    return handling;
}

/* A command may take its time to end: those behind wait, since they are to find the driver free. */
static enum handling
run_cancel_task(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling;
    struct call *call = command_ask(client, &args[0], PROTO_CANCEL, &handling);

    (void)count;
    if (call != NULL && (call->driver->command != 0 || call->driver->runs_due > 0))
        client->barrier = call->request;
    return handling;
}

static bool
span_is(const struct span *span, const char *text)
{
    return span->size == strlen(text) && memcmp(span->at, text, span->size) == 0;
}

/* A command that waits in that list, with one call. If it is for a driver, the call has its pid;
 * but it is none of those that the driver is asked. */
static struct call *
command_wait(struct client *client, struct driver *driver, enum proto_type type, struct list *list,
             enum handling *handling)
{
    struct call *call = command_call(client, driver, type);

    *handling = call != NULL ? COMMAND_TAKEN : COMMAND_HELD;
    if (call != NULL) {
        call->driver = NULL;
        request_wait(call->request, list);
    }
    return call;
}

/* Gives tasks for any driver to those that can take one, first come, first served. */
static void
tasks_assign(void)
{
    while (!list_empty(&server.any_waiting) && !list_empty(&server.idle)) {
        struct call *call = clients_resume_first(&server.any_waiting);
        struct driver *driver = container_of(server.idle.next, struct driver, idle);
        call_set_driver(call, driver);
        driver_call(driver, call);
    }
    if (list_empty(&server.drivers) && server.kept_missing == 0)
        clients_resume(&server.any_waiting, CALL_NO_DRIVER);
}

/* Has a driver, or any that is free, busy for as long as the second word says: with a command,
 * unless run is NULL. The run becomes the call's, or is freed. */
static enum handling
command_task(struct client *client, const struct span *args, struct run *run)
{
    enum proto_type type = run != NULL ? PROTO_RUN : PROTO_TASK;
    enum handling handling;
    struct call *call = NULL;
    uint64_t duration_ms;

    if (!seconds_parse(args[1].at, args[1].size, &duration_ms))
        handling =
            client_error(client, "bad_seconds", "bad seconds '%s' (above 0, at most %" PRIu64 ")",
                         echo_word(&args[1]).text, PROTO_TASK_MAX_MS / 1000);
    else if (span_is(&args[0], "any"))
        call = command_wait(client, NULL, type, &server.any_waiting, &handling);
    else
        call = command_ask(client, &args[0], type, &handling);
    if (call != NULL) {
        call->duration_ms = duration_ms;
        call_set_run(call, run);
        tasks_assign();
    } else if (run != NULL) {
        run_free(run);
    }
    return handling;
}

static enum handling
run_send_task(struct client *client, const struct span *args, unsigned count)
{
    (void)count;
    return command_task(client, args, NULL);
}

static enum handling
run_run(struct client *client, const struct span *args, unsigned count)
{
    (void)count;
    if (memchr(args[2].at, '\0', args[2].size) != NULL)
        return client_error(client, "bad_command", "bad command '%s' (it has a zero byte)",
                            echo_word(&args[2]).text);
    struct run *run = run_new(&args[2]);
    if (run == NULL)
        return client_error(client, "cannot_run", "cannot run: %s", strerror(ENOMEM));
    return command_task(client, args, run);
}

/* Answers all who wait until no driver has a task, if none has. */
static void
waits_end(void)
{
    while (server.engaged == 0 && !list_empty(&server.all_waiting)) {
        struct call *call = clients_resume_first(&server.all_waiting);
        call->request->counted = true;
        call->request->lines = server.counts[DRIVER_READY];
        call_free(call);
    }
}

static enum handling
run_wait(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling = COMMAND_HELD;

    if (count == 0) {
        command_wait(client, NULL, PROTO_STATUS, &server.all_waiting, &handling);
        waits_end();
        return handling;
    }
    struct driver *driver = command_driver(client, &args[0], &handling);
    if (driver == NULL)
        return handling;
    command_wait(client, driver, PROTO_STATUS, &driver->awaited, &handling);
    driver_changed(driver);
    return handling;
}

static enum handling
run_delete_driver(struct client *client, const struct span *args, unsigned count)
{
    enum handling handling = COMMAND_HELD;
    struct driver *driver = command_driver(client, &args[0], &handling);

    (void)count;
    if (driver == NULL)
        return handling;
    driver->death = command_call(client, driver, PROTO_EXIT);
    if (driver->death == NULL)
        return COMMAND_HELD;
    driver_dismiss(driver);
    return COMMAND_TAKEN;
}

/* Asks all listed drivers. Without memory for all, none is asked. */
static enum handling
run_get_drivers(struct client *client, const struct span *args, unsigned count)
{
    struct request *request = request_new(client);

    (void)args;
    (void)count;
    if (request == NULL)
        return COMMAND_HELD;
    request->counted = request->listing = true;
    for (struct list *link = server.drivers.next; link != &server.drivers; link = link->next) {
        struct driver *driver = container_of(link, struct driver, by_age);
        if (driver->state == DRIVER_READY && call_new(request, driver, PROTO_STATUS) == NULL) {
            while (!list_empty(&request->calls))
                call_free(container_of(request->calls.next, struct call, of_request));
            request_abandon(request);
            return client_error(client, "cannot_list", "cannot list drivers: %s", strerror(ENOMEM));
        }
    }
    for (struct list *link = request->calls.next; link != &request->calls; link = link->next) {
        struct call *call = container_of(link, struct call, of_request);
        driver_call(call->driver, call);
    }
    client_wake(client);
    return COMMAND_TAKEN;
}

static enum handling
run_create_driver(struct client *client, const struct span *args, unsigned count)
{
    uint64_t drivers = 1;

    if (count > 0 && (!digits_parse(args[0].at, args[0].size, COUNT_MAX, &drivers) ||
                      drivers == 0 || drivers > COUNT_MAX))
        return client_error(client, "bad_count", "bad count '%s' (1 to %d)",
                            echo_word(&args[0]).text, COUNT_MAX);
    struct request *request = request_new(client);
    if (request == NULL)
        return COMMAND_HELD;
    request->counted = count > 0;
    request->to_start = (unsigned)drivers;
    client->barrier = request;
    return COMMAND_TAKEN;
}

/* Makes the line of TEXT_SIZE. Returns its size. */
static size_t
stats_line(char *line, bool json)
{
    const struct {
        const char *name;
        uint64_t value;
    } stats[] = {
        {"uptime", (uint64_t)((server.now_ns - server.started_ns) / NS_PER_S)},
        {"clients", server.connection_count + !(server.console.input_ended || server.console.quit)},
        {"drivers", server.counts[DRIVER_READY]},
        {"starting", server.counts[DRIVER_STARTING]},
        {"stopping", server.counts[DRIVER_STOPPING]},
        {"created", server.created},
        {"died", server.died},
        {"replaced", server.replaced},
        {"commands", server.commands},
        {"errors", server.errors},
        {"tasks", server.tasks},
        {"tasks_done", server.tasks_done},
        {"runs", server.runs_started},
        {"failures", server.runs_failed},
        {"timeouts", server.runs_timed_out},
        {"unanswered", server.unanswered},
        {"log_dropped", server.log_dropped},
    };
    size_t size = (size_t)snprintf(line, TEXT_SIZE, json ? "{" : "Stats");

    for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++)
        size += (size_t)snprintf(line + size, TEXT_SIZE - size,
                                 json ? "%s\"%s\":%" PRIu64 : "%s%s=%" PRIu64,
                                 !json    ? " "
                                 : i == 0 ? ""
                                          : ",",
                                 stats[i].name, stats[i].value);
    size += (size_t)snprintf(line + size, TEXT_SIZE - size, json ? "}\n" : "\n");
    assert(size < TEXT_SIZE);
    return size;
}

static enum handling
run_stats(struct client *client, const struct span *args, unsigned count)
{
    char *line = pool_get(&server.texts);

    (void)args;
    (void)count;
    if (line == NULL)
        return COMMAND_HELD;
    return client_answer_own(client, line, stats_line(line, client->json));
}

static enum handling
run_help(struct client *client, const struct span *args, unsigned count)
{
    (void)args;
    (void)count;
    if (client->json)
        return client_answer(client, server.help_json.text, server.help_json.size);
    return client_answer(client, server.help.text, server.help.size);
}

/* Sets how this client is answered from now on. Nothing is set unless all words are right. */
static enum handling
run_session(struct client *client, const struct span *args, unsigned count)
{
    bool json = client->json, prompts = client->prompts, farewell = client->farewell;

    for (unsigned i = 0; i < count; i++) {
        if (span_is(&args[i], "json"))
            json = true;
        else if (span_is(&args[i], "prompt"))
            prompts = true;
        else if (span_is(&args[i], "farewell"))
            farewell = true;
        else
            return client_error(client, "usage", "bad word '%s' (json, prompt or farewell)",
                                echo_word(&args[i]).text);
    }
    client->json = json;
    client->prompts = prompts;
    client->farewell = farewell;
    return COMMAND_TAKEN;
}

static enum handling
run_quit(struct client *client, const struct span *args, unsigned count)
{
    (void)args;
    (void)count;
    client->quit = true;
    return COMMAND_TAKEN;
}

static enum handling
run_shutdown(struct client *client, const struct span *args, unsigned count)
{
    (void)args;
    (void)count;
    client->said_shutdown = true;
    server_stop(false);
    return COMMAND_TAKEN;
}

static const struct command commands[] = {
    {SPAN("create_driver"), "[COUNT]", 0, 1, false, run_create_driver,
     "start a driver, or COUNT of them"},
    {SPAN("send_task"), "PID SECONDS", 2, 2, false, run_send_task,
     "keep a driver busy that long (0.25, 3); PID any: one that is free"},
    {SPAN("run"), "PID|any SECONDS COMMAND...", 3, 3, true, run_run,
     "run a shell command on a driver, for at most that long"},
    {SPAN("get_status"), "PID", 1, 1, false, run_get_status, "ask a driver: Available or Busy"},
    {SPAN("get_drivers"), "", 0, 0, false, run_get_drivers, "ask all drivers, oldest first"},
    {SPAN("cancel_task"), "PID", 1, 1, false, run_cancel_task, "end a driver's task"},
    {SPAN("wait"), "[PID]", 0, 1, false, run_wait,
     "wait until that driver, or every driver, has no task"},
    {SPAN("delete_driver"), "PID", 1, 1, false, run_delete_driver, "end a driver, and its task"},
    {SPAN("stats"), "", 0, 0, false, run_stats, "show counters"},
    {SPAN("session"), "WORD...", 1, 3, false, run_session,
     "for this client: json, prompt, farewell"},
    {SPAN("help"), "", 0, 0, false, run_help, "show this"},
    {SPAN("quit"), "", 0, 0, false, run_quit, "end this client, after all replies"},
    {SPAN("exit"), "", 0, 0, false, run_quit, "the same"},
    {SPAN("shutdown"), "", 0, 0, false, run_shutdown, "stop the server"},
};

enum {
    COMMANDS = sizeof(commands) / sizeof(commands[0]),
};

/* Makes both forms of the help; no text in it has a character that JSON would want escaped. */
static void
help_make(void)
{
    char usage[64];

    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        snprintf(usage, sizeof(usage), "%s%s%s", command->name.at,
                 command->args[0] != '\0' ? " " : "", command->args);
        server.help.size +=
            (size_t)snprintf(server.help.text + server.help.size, HELP_SIZE - server.help.size,
                             "%-26s %s\n", usage, command->help);
        server.help_json.size += (size_t)snprintf(
            server.help_json.text + server.help_json.size, HELP_SIZE - server.help_json.size,
            "{\"command\":\"%s\",\"help\":\"%s\"}\n", usage, command->help);
    }
    server.help.size += (size_t)snprintf(server.help.text + server.help.size,
                                         HELP_SIZE - server.help.size, "%d commands\n", COMMANDS);
    server.help_json.size +=
        (size_t)snprintf(server.help_json.text + server.help_json.size,
                         HELP_SIZE - server.help_json.size, "{\"count\":%d}\n", COMMANDS);
    assert(server.help.size < HELP_SIZE && server.help_json.size < HELP_SIZE);
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

/* Most bytes are neither, and above both: one comparison tells. */
static bool
is_blank(char byte)
{
    return byte <= ' ' && (byte == ' ' || byte == '\t');
}

/* Splits a line at blanks and tabs, into at most WORDS_MAX words; more are not looked at. */
static unsigned
line_split(const struct span *line, struct span words[WORDS_MAX])
{
    const char *at = line->at, *end = line->at + line->size;
    unsigned count = 0;

    while (count < WORDS_MAX) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end)
            break;
        words[count].at = at;
        do
            at++;
        while (at < end && !is_blank(*at));
        words[count].size = (size_t)(at - words[count].at);
        count++;
    }
    return count;
}

/* Runs a command line, which has neither newline nor carriage return any more. */
static enum handling
command_run(struct client *client, const struct span *line)
{
    struct span words[WORDS_MAX];
    unsigned count = line_split(line, words);

    if (count == 0 || words[0].at[0] == '#')
        return COMMAND_TAKEN;
    if (server.stopping)
        return client_error(client, "stopping", "server is stopping");
    const struct command *command = command_find(&words[0]);
    if (command == NULL)
        return client_error(client, "unknown_command", "unknown command '%s' (try help)",
                            echo_word(&words[0]).text);
    if (command->takes_line && count > command->max_args) {
        struct span *last = &words[command->max_args];
        last->size = (size_t)(line->at + line->size - last->at);
        count = command->max_args + 1;
    }
    if (count - 1 < command->min_args || count - 1 > command->max_args)
        return client_error(client, "usage", "usage: %s%s%s", command->name.at,
                            command->args[0] != '\0' ? " " : "", command->args);
    return command->run(client, words + 1, count - 1);
}

/* ---- create_driver, as it goes on ---------------------------------------------------------- */

/* Starts the next of the drivers that a create_driver has still to start; it waits for its exec.
 * Returns whether it may go on at once. */
static bool
create_continue(struct request *request)
{
    if (request->to_start == 0)
        return false;
    if ((request->starting >= STARTING_MAX || request->client->owed >= server.owed_share) &&
        !server.stopping)
        return false; /* until one has said HELLO, or a line was written */
    struct call *call = call_new(request, NULL, PROTO_HELLO);
    if (call == NULL) {
        client_lacks_memory(request->client);
        return false;
    }
    request->to_start--;
    if (server.stopping) {
        request->to_start = 0;
        call_end(call, CALL_STOPPING);
    } else if (driver_new(call) != NULL) {
        request->starting++;
    } else {
        request->to_start = 0;
        call->error = errno;
        call_end(call, CALL_NOT_BORN);
    }
    return request->to_start > 0;
}

/* ---- drivers that are kept ----------------------------------------------------------------- */

/* Whether a driver that is missing may be started. */
static bool
kept_startable(void)
{
    return server.kept_missing > 0 && server.counts[DRIVER_STARTING] < STARTING_MAX &&
           list_empty(&server.replace_deadline.link);
}

/* Starts one of the drivers that are missing. */
static void
kept_start(void)
{
    struct driver *driver = driver_new(NULL);

    if (driver == NULL) {
        log_line("cannot create driver: %s", strerror(errno));
        kept_back_off();
        return;
    }
    driver->kept = true;
    server.kept_missing--;
    server.kept_starting++;
    if (server.kept_died > 0) {
        server.kept_died--;
        server.replaced++;
        log_line("driver %d replaces one that died", driver->pid);
    }
}

/* Whether the drivers that are kept are all up, or none is to be. */
static bool
kept_all_up(void)
{
    return server.kept_missing + server.kept_starting == 0;
}

/* ---- client -------------------------------------------------------------------------------- */

static void
client_end_input(struct client *client)
{
    client->input_ended = true;
    client->starved = false; /* what is left of the input is a line now */
    client_wake(client);
}

/*
 * Stops as a job by letting that signal, which is blocked otherwise, through to its default action.
 * In an orphaned process group, where no shell could continue us, that does nothing, setpgid(2).
 * whom: as for kill(2).
 */
static void
job_stop(int number, pid_t whom)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    kill(whom, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* here we are stopped */
    sigprocmask(SIG_BLOCK, &set, NULL);
    server.now_ns = clock_ns();
}

/*
 * The terminal refused to be read. If that is because we are in its background, stop as the kernel
 * would have stopped us, with our whole process group, had SIGTTIN not been blocked, termios(3).
 * That we were continued shows as a pending SIGCONT; its turn will read again. That nothing has
 * stopped us is the end of input, as is a terminal that was hung up.
 */
static void
client_terminal_refused(struct client *client)
{
    pid_t foreground = tcgetpgrp(client->in.fd);
    sigset_t pending;

    if (server.stopping || (foreground >= 0 && foreground == getpgrp()))
        return; /* we do not want it any more, or have come to the foreground since */
    if (foreground >= 0) {
        job_stop(SIGTTIN, 0);
        if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT))
            return;
    }
    client_end_input(client);
}

/* What a client that is gone would have to wait for, it does without. */
static void
client_give_up(struct client *client)
{
    if (!list_empty(&client->waiting))
        call_end(client_resume(client), CALL_STOPPING);
    if (!list_empty(&client->held)) {
        list_remove(&client->held);
        client->quit = true;
    }
    for (struct list *of = client->requests.next; of != &client->requests; of = of->next) {
        struct request *request = container_of(of, struct request, link);
        for (struct list *link = request->calls.next; link != &request->calls; link = link->next) {
            struct call *call = container_of(link, struct call, of_request);
            if (call->ongoing && call->outcome == CALL_PENDING)
                call_end(call, CALL_STOPPING);
        }
    }
}

/* Has drivers looked at to which a client has something to say: see driver_unqueue(). */
static void
client_unqueue(struct client *client)
{
    for (struct list *of = client->requests.next; of != &client->requests; of = of->next) {
        struct request *request = container_of(of, struct request, link);
        for (struct list *link = request->calls.next; link != &request->calls; link = link->next) {
            struct call *call = container_of(link, struct call, of_request);
            if (call->driver != NULL)
                driver_send_later(call->driver);
        }
    }
}

/* The other end of a connection is closed. What was sent before still counts, as far as it can be
 * done at once; nobody reads the replies, and nobody waits. */
static void
client_gone(struct client *client)
{
    server.clients_gone += !client->gone;
    client->gone = true;
    client->output_failed = true;
    client->output_waits = false;
    client_give_up(client);
    client_unqueue(client);
    client_wake(client);
}

/* Its input or output has failed, which costs a connection that connection, and the console, where
 * there is no other client, the server. */
static void
client_failed(struct client *client, const char *what, int error)
{
    if (client != &server.console) {
        client_gone(client);
        return;
    }
    if (client->output_failed && client->input_ended)
        return; /* and was told */
    client->output_failed = true;
    client->output_waits = false;
    client_end_input(client);
    if (server.listen_path != NULL)
        log_line("%s: %s", what, strerror(error));
    else
        server_fail(what, error);
}

/* Reads once. */
static void
client_read(struct client *client)
{
    struct buffer *input = &client->input;

    if (client->input_ended)
        return;
    /* The last block is for replies: they make room for what is read. */
    if (!pool_has(&server.blocks, input->data == NULL ? 2 : 0) || !buffer_prepare(input)) {
        client_lacks_memory(client);
        client_wake(client); /* which ends that it is watched */
        return;
    }
    if (buffer_room(input) == 0)
        return;
    size_t room = buffer_room(input);
    ssize_t n = stream_read(&client->in, input->data + input->end, room);
    int error = errno;
    client->more = n == (ssize_t)room;
    if (n > 0)
        input->end += (size_t)n;
    buffer_consume(input, 0); /* gives the block back if nothing came */
    if (n > 0) {
        client_wake(client);
    } else if (n == 0 || error == ECONNRESET) {
        client_end_input(client);
    } else if (error == EIO && client->terminal) {
        client_terminal_refused(client);
    } else if (error == EAGAIN && client->gone) {
        client_end_input(client); /* it could say more, but does not listen */
    } else if (error != EAGAIN && error != EINTR) {
        client_end_input(client);
        client_failed(client, "cannot read standard input", error);
    }
}

static void
client_in_ready(struct source *source, uint32_t events)
{
    (void)events;
    client_read(container_of(source, struct client, in.source));
}

static void
client_out_ready(struct source *source, uint32_t events)
{
    struct client *client = container_of(source, struct client, out.source);

    (void)events;
    client->output_waits = false;
    client_wake(client);
}

static void
connection_ready(struct source *source, uint32_t events)
{
    struct client *client = container_of(source, struct client, in.source);

    if (events & EPOLLOUT) {
        client->output_waits = false;
        client_wake(client);
    }
    if (events & EPOLLIN)
        client_read(client);
    if (events & (EPOLLHUP | EPOLLERR))
        client_gone(client);
}

enum line {
    LINE_NONE,
    LINE_WHOLE,
    LINE_TOO_LONG,
};

/* Looks for the next line of the input. *size is how much of the input it takes; what it is, in
 * *line, has no newline. */
static enum line
client_line(struct client *client, struct span *line, size_t *size)
{
    const struct buffer *input = &client->input;
    size_t used = buffer_used(input);

    if (used == 0)
        return LINE_NONE;
    const char *at = input->data + input->start;
    const char *newline = memchr(at, '\n', used);
    *size = newline != NULL ? (size_t)(newline - at) + 1 : used;
    *line = (struct span){.at = at, .size = newline != NULL ? *size - 1 : used};
    if (line->size >= LINE_MAX_SIZE || client->skipping_line)
        return LINE_TOO_LONG;
    if (newline == NULL && !client->input_ended)
        return LINE_NONE;
    if (line->size > 0 && line->at[line->size - 1] == '\r')
        line->size--;
    return LINE_WHOLE;
}

/* A line that is too long is dropped to its end, in whatever pieces it comes, and is answered when
 * it is known to be too long. */
static enum handling
client_skip_line(struct client *client, size_t size)
{
    bool whole = client->input.data[client->input.start + size - 1] == '\n';

    if (!client->skipping_line &&
        client_error(client, "line_too_long", "line too long (limit %d bytes)", LINE_MAX_SIZE) ==
            COMMAND_HELD)
        return COMMAND_HELD;
    client->skipping_line = !whole;
    return COMMAND_TAKEN;
}

/* Whether it is owed too much. It is then left alone until most of that is answered: many commands
 * at a time cost less than a few as often. */
static bool
client_owed_enough(struct client *client)
{
    if (client->owed >= server.owed_share)
        client->full = true;
    else if (client->owed <= server.owed_share / 4)
        client->full = false;
    return client->full;
}

/* Whether the next command may be looked at. */
static bool
client_willing(struct client *client)
{
    return !client->quit && client->barrier == NULL && list_empty(&client->held) &&
           client->runs < RUNS_MAX && !client->output_waits && !server.warming_up &&
           !client_owed_enough(client);
}

/* Runs the commands that are there, but not for longer than until then. Returns whether there were
 * any. */
static bool
client_execute(struct client *client, int64_t until_ns)
{
    enum handling handling = COMMAND_TAKEN;
    struct span line;
    size_t size;
    int taken = 0;

    client->starved = false;
    while (client_willing(client)) {
        enum line kind = client_line(client, &line, &size);
        client->starved = kind == LINE_NONE;
        if (kind == LINE_WHOLE)
            handling = command_run(client, &line);
        else if (kind == LINE_TOO_LONG)
            handling = client_skip_line(client, size);
        if (client->starved || handling == COMMAND_HELD)
            break;
        buffer_consume(&client->input, size);
        client->prompted = false;
        if (++taken % COMMANDS_PER_LOOK == 0 && clock_ns() >= until_ns)
            break;
    }
    if (handling == COMMAND_HELD && list_empty(&client->held))
        client_lacks_memory(client);
    return taken > 0;
}

/* Writes the output. What cannot be written now waits for EPOLLOUT. */
static void
client_flush(struct client *client)
{
    struct buffer *out = &client->output;

    while (buffer_used(out) > 0 && !client->output_waits) {
        ssize_t n = client->output_failed
                        ? (ssize_t)buffer_used(out)
                        : stream_write(&client->out, out->data + out->start, buffer_used(out));
        if (n >= 0)
            buffer_consume(out, (size_t)n);
        else if (errno == EAGAIN)
            client->output_waits = true;
        else if (errno != EINTR)
            client_failed(client, "cannot write standard output", errno);
    }
    if (client->output_full && !client->output_waits)
        client_wake(client);
}

/* Nothing more is to be read from the client, run or answered. */
static bool
client_answered(const struct client *client)
{
    return (client->input_ended || client->quit || server.stopping) &&
           list_empty(&client->requests) && (client->quit || client->starved);
}

/* And nothing more is to be written. */
static bool
client_finished(const struct client *client)
{
    return client_answered(client) && buffer_used(&client->output) == 0 && !client->farewell;
}

/* Not if it is the server that ends: the client may have more to say, and is to know that it is not
 * heard. */
static void
client_bid_farewell(struct client *client)
{
    if (!client->input_ended && !client->quit && !client->said_shutdown) {
        client->farewell = false;
    } else if (!buffer_prepare(&client->output)) {
        client_lacks_memory(client);
    } else if (buffer_room(&client->output) > 0) {
        buffer_append_string(&client->output, FAREWELL);
        client->farewell = false;
    }
}

/* Shows a person that the next command is awaited. */
static void
client_prompt(struct client *client)
{
    if (!client->prompts || client->prompted || !client->starved || client->input_ended ||
        server.stopping || !list_empty(&client->requests) || buffer_used(&client->output) > 0)
        return;
    client->prompted = stream_write(&client->out, "> ", 2) == 2;
}

/* Has epoll report what the client waits for. That a connection's other end is closed is reported
 * whatever else is, epoll_ctl(2); once it is known, what is left to read is there already. */
static void
client_watch(struct client *client)
{
    bool reads = client->starved && !client->input_ended && !client->quit && !server.stopping &&
                 list_empty(&client->lacking);
    uint32_t in = reads ? EPOLLIN : 0, out = client->output_waits ? EPOLLOUT : 0;

    if (client != &server.console) {
        if (!source_watch(&client->in.source, client->gone ? 0 : EPOLLHUP | in | out))
            client_failed(client, "cannot watch it", errno);
        return;
    }
    if (client->in.kind != STREAM_FILE && !source_watch(&client->in.source, in))
        client_failed(client, "cannot watch standard input", errno);
    if (!source_watch(&client->out.source, out))
        client_failed(client, "cannot watch standard output", errno);
}

/* Whether reading is to be tried without having been told that something is there: a file is always
 * ready; where there was as much as one read takes, there is more; and who is gone has sent all. */
static bool
client_reads_on(const struct client *client)
{
    return (client->in.kind == STREAM_FILE || client->more || client->gone) && client->starved &&
           !client->quit && !server.stopping && list_empty(&client->lacking);
}

/* Nothing is left to be done for a client. A connection is closed, and freed at the end of the
 * turn; the console is the server's reason to run, if there are no others. */
static void
client_end(struct client *client)
{
    if (client == &server.console) {
        if (server.listen_path == NULL && !server.stopping)
            server_stop(false);
        return;
    }
    source_close(&client->in.source);
    buffer_consume(&client->input, buffer_used(&client->input));
    list_remove(&client->runnable);
    list_remove(&client->held);
    list_remove(&client->lacking);
    list_remove(&client->link);
    list_append(&server.dropped_clients, &client->link);
    server.connection_count--;
    server.clients_gone -= client->gone;
    owed_share_out();
}

/* What a client's turn is: replies out, commands in, as far as both go or until then. */
static void
client_turn(struct client *client, int64_t until_ns)
{
    bool progress = true, more, memory_freed = server.memory_freed;

    list_remove(&client->runnable);
    if (server.stopping && !client->heard_out) {
        client->heard_out = true; /* what it has sent before is answered */
        if (client != &server.console) {
            client_read(client);
            client_read(client); /* and that it has sent all is seen */
        }
    }
    for (int i = 0; i < CLIENT_ROUNDS && progress; i++) {
        progress = client_reply(client);
        progress |= client_execute(client, until_ns);
        if (client_reads_on(client))
            client_read(client);
    }
    if (client->gone)
        client_give_up(client);
    if (client->barrier != NULL) {
        do
            progress |= more = create_continue(client->barrier);
        while (more && clock_ns() < until_ns);
    }
    if (progress)
        client_wake(client);
    else if (!list_empty(&client->lacking))
        server.memory_freed = memory_freed; /* by others: it has only given back what did not do */
    if (client->farewell && client_answered(client))
        client_bid_farewell(client);
    client_flush(client);
    client_prompt(client);
    client_watch(client);
    if (client_finished(client))
        client_end(client);
}

/* How long a client's turn may be: they share the time, if there are not too many. */
static int64_t
clients_share_ns(void)
{
    int64_t share_us = CLIENTS_TURN_US;
    int count = 0;

    for (const struct list *link = server.runnable.next;
         link != &server.runnable && share_us > CLIENT_TURN_MIN_US; link = link->next)
        share_us = CLIENTS_TURN_US / ++count;
    return share_us * NS_PER_US;
}

/* Has clients have their turns, each at most one, until their time is over. */
static void
clients_run(void)
{
    const struct list *link, *last = server.runnable.prev;

    if (list_empty(&server.runnable))
        return;
    int64_t share_ns = clients_share_ns(), now_ns = clock_ns();
    int64_t until_ns = now_ns + CLIENTS_TURN_US * NS_PER_US;
    do {
        link = server.runnable.next;
        client_turn(container_of(link, struct client, runnable), now_ns + share_ns);
        now_ns = clock_ns();
    } while (link != last && now_ns < until_ns);
}

static void
clients_free_dropped(void)
{
    while (!list_empty(&server.dropped_clients)) {
        struct list *first = server.dropped_clients.next;
        list_remove(first);
        pool_put(&server.clients, container_of(first, struct client, link));
    }
}

/* Those that lacked memory try again, if some was given back. */
static void
clients_retry(void)
{
    while (server.memory_freed && !list_empty(&server.lacking)) {
        struct client *client = container_of(server.lacking.next, struct client, lacking);
        list_remove(&client->lacking);
        client_wake(client);
    }
    server.memory_freed = false;
}

static void
client_init(struct client *client)
{
    list_init(&client->link);
    list_init(&client->requests);
    list_init(&client->runnable);
    list_init(&client->held);
    list_init(&client->lacking);
    list_init(&client->waiting);
    client->starved = true;
    client->json = server.json;
}

/* Sets up standard input and output as a client. Exits if they cannot be. */
static void
console_open(struct client *client)
{
    client_init(client);
    if (!stream_open(&client->in, STDIN_FILENO, O_RDONLY)) {
        if (server.listen_path == NULL)
            err(EXIT_FAILURE, "cannot read standard input");
        log_line("cannot read standard input: %s", strerror(errno)); /* as with nohup(1) */
        client->input_ended = true;
    }
    stream_open(&client->out, STDOUT_FILENO, O_WRONLY);
    client->in.source.ready = client_in_ready;
    client->out.source.ready = client_out_ready;
    client->terminal = isatty(STDIN_FILENO);
    client->prompts = client->terminal && isatty(STDOUT_FILENO);
    /* A terminal is read once before it is ready: in its background that stops us at once, before
     * anything is typed, as it does any reader. */
    if (client->terminal)
        client_read(client);
    client_wake(client);
}

static void
console_close(struct client *client)
{
    if (client->prompted)
        stream_write(&client->out, "\n", 1); /* the shell's prompt has a line of its own */
    stream_close(&client->in);
    stream_close(&client->out);
}

/* ---- control socket ------------------------------------------------------------------------ */

/* Sets up a client at that socket. False, with errno, if there is no memory. */
static bool
connection_open(int fd)
{
    struct client *client = pool_get(&server.clients);

    if (client == NULL)
        return false;
    *client = (struct client){0};
    client_init(client);
    client->in = (struct stream){
        .source = {.fd = fd, .ready = connection_ready}, .fd = fd, .kind = STREAM_SOCKET};
    client->out = (struct stream){.source.fd = -1, .fd = fd, .kind = STREAM_SOCKET};
    list_append(&server.connections, &client->link);
    server.connection_count++;
    owed_share_out();
    client_wake(client); /* which has it watched */
    return true;
}

/* Whether the process that connected is of our user, or of root, unix(7). Another is told, once. */
static bool
peer_permitted(int fd)
{
    static const char refusal[] = "Error: only the server's own user may give it commands\n";
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    if (peer.uid == geteuid() || peer.uid == 0)
        return true;
    send(fd, refusal, strlen(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
    log_line("refused a connection of user %u", peer.uid);
    return false;
}

/* No connection can be accepted now. The one that waits would have the socket stay ready: it is not
 * looked at for a moment. */
static void
listener_pause(int error)
{
    if (!server.accept_failed)
        log_line("cannot accept a connection: %s", strerror(error));
    server.accept_failed = true;
    source_watch(&server.listener, 0);
    retry_later();
}

static void
listener_ready(struct source *source, uint32_t events)
{
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN || server.stopping; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno == EAGAIN)
                server.accept_failed = false; /* all are in */
            else
                listener_pause(errno);
            return;
        }
        if (!peer_permitted(fd)) {
            close(fd);
        } else if (!connection_open(fd)) {
            listener_pause(errno);
            close(fd);
            return;
        }
    }
}

/* Nobody connects any more. The socket's file is removed, if it is still ours. */
static void
listener_remove(void)
{
    struct stat file;

    if (server.listener.fd < 0)
        return;
    bool known = lstat(server.listen_path, &file) == 0;
    if (known &&
        (file.st_dev != server.listen_file.st_dev || file.st_ino != server.listen_file.st_ino))
        return; /* it is another's by now */
    if (!known && errno == ENOENT)
        return;
    if (!known || unlink(server.listen_path) < 0)
        log_line("cannot remove %s: %s", server.listen_path, strerror(errno));
}

/* The same at a stop. Those who have connected so far are to be told of it. */
static void
listener_close(void)
{
    if (server.listener.fd < 0)
        return;
    listener_remove();
    listener_ready(&server.listener, EPOLLIN);
    source_close(&server.listener);
}

/* The address of a control socket. The path was checked to fit. */
static struct sockaddr_un
control_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    return address;
}

/* Whether a server listens at the socket: one that is dead has left its file, and refuses. */
static bool
control_is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return !refused;
}

/* Removes the file of a server that is dead. Exits if there is anything else. */
static void
control_take_over(const struct sockaddr_un *address)
{
    struct stat file;

    if (lstat(address->sun_path, &file) < 0) {
        if (errno == ENOENT)
            return;
        err(EXIT_FAILURE, "cannot listen on %s", address->sun_path);
    }
    if (!S_ISSOCK(file.st_mode))
        errx(EXIT_FAILURE, "cannot listen on %s: it exists and is no socket", address->sun_path);
    if (control_is_alive(address))
        errx(EXIT_FAILURE, "cannot listen on %s: another server does", address->sun_path);
    if (unlink(address->sun_path) < 0)
        err(EXIT_FAILURE, "cannot remove %s, of a server that is dead", address->sun_path);
}

/* Opens the directory that a path is in. */
static int
directory_open(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
    const char *slash = strrchr(path, '/');

    if (slash != NULL)
        snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path),
                 path);
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Listens on server.listen_path; called before signals are blocked, since it may wait: for another
 * server that is just about to listen in the same directory, which is locked meanwhile, so that
 * neither takes the other, which has its file but does not listen yet, for dead. Exits if it cannot
 * be had.
 */
static void
listener_open(void)
{
    struct sockaddr_un address = control_address(server.listen_path);
    int directory = directory_open(server.listen_path);

    if (directory < 0 || flock(directory, LOCK_EX) < 0)
        err(EXIT_FAILURE, "cannot listen on %s", server.listen_path);
    control_take_over(&address);
    server.listener =
        (struct source){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                        .ready = listener_ready};
    mode_t mask = umask(0177); /* for us alone: 0600 */
    if (server.listener.fd < 0 ||
        bind(server.listener.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(EXIT_FAILURE, "cannot listen on %s", server.listen_path);
    if (lstat(server.listen_path, &server.listen_file) < 0 ||
        listen(server.listener.fd, SOMAXCONN) < 0) {
        int error = errno;
        unlink(server.listen_path); /* nobody else's: the directory is locked */
        errno = error;
        err(EXIT_FAILURE, "cannot listen on %s", server.listen_path);
    }
    atexit(listener_remove); /* if starting fails further on */
    umask(mask);
    close(directory);
}

/* ---- signals ------------------------------------------------------------------------------- */

static void
job_continued(struct client *client)
{
    client->prompted = false;
    /* If it was continued in the background, this stops it again; but not if it is to end. */
    if (client->terminal && !server.stopping)
        client_read(client);
    client_wake(client);
}

static void
signal_handle(const struct signalfd_siginfo *info)
{
    char stats[TEXT_SIZE];

    switch (info->ssi_signo) {
    case SIGHUP:
        if (!server.hup_ignored)
            server_stop(false);
        break;
    case SIGINT:
    case SIGTERM:
        server_stop(false);
        break;
    case SIGQUIT:
        server_stop(true);
        break;
    case SIGUSR1:
        log_line("%.*s", (int)stats_line(stats, false) - 1, stats);
        break;
    case SIGTSTP:
        job_stop(SIGTSTP, server.pid);
        break;
    case SIGCONT:
        job_continued(&server.console);
        break;
    case SIGCHLD:
        child_died((pid_t)info->ssi_pid);
        break;
    default:
        break; /* SIGPIPE, for one: the write that raised it has failed with EPIPE */
    }
}

static void
signals_ready(struct source *source, uint32_t events)
{
    struct signalfd_siginfo infos[32]; /* more have the next turn: a flood holds up nothing */
    ssize_t n = read(source->fd, infos, sizeof(infos));

    (void)events;
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(infos[0]); i++)
        signal_handle(&infos[i]);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        log_line("cannot read signals: %s", strerror(errno)); /* the next turn tries again */
}

/*
 * Blocks all signals but those that a fault in this program raises, and sets all dispositions to
 * default, so that one inherited as ignored (SIGCHLD would have the kernel reap for us) changes
 * nothing; of SIGHUP, it is remembered. Both by the bare system calls, because libc's own withhold
 * the two signals that it keeps for its threads. Returns false with errno on failure.
 */
static bool
signals_block(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    static const char zeros[64]; /* no kernel's struct sigaction is larger: SIG_DFL, no flag */
    struct sigaction old;

    memset(set, 0xff, sizeof(*set));
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, NULL, _NSIG / 8) < 0)
        return false;
    server.hup_ignored = sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
    for (int number = 1; number < _NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            syscall(SYS_rt_sigaction, number, zeros, NULL, _NSIG / 8);
    return true;
}

/* ---- options ------------------------------------------------------------------------------- */

static const char usage_text[] =
    "usage: server [OPTION]...\n"
    "       server --connect PATH [--json] [COMMAND [WORD]...]\n"
    "Dispatches timed tasks to driver processes; commands are read from standard input.\n"
    "\n"
    "  -d, --driver PATH            the driver program\n"
    "  -n, --drivers N              start with N drivers, and replace those that die\n"
    "  -l, --listen PATH            also take commands at a UNIX socket\n"
    "  -c, --connect PATH           be a client of a server that listens there\n"
    "  -j, --json                   replies are JSON objects, one a line\n"
    "  -g, --grace SECONDS          for drivers to exit before they are killed (2)\n"
    "  -t, --reply-timeout SECONDS  for a driver to answer (1)\n"
    "  -o, --output DIR             write the output of commands to files there\n"
    "  -r, --ready-fd FD            write a newline to that descriptor when ready\n"
    "  -v, --verbose                log each driver's start, end and task\n"
    "  -h, --help                   show this\n"
    "  -V, --version                show the version\n"
    "\n"
    "Type help at its prompt for the commands.\n";

__attribute__((noreturn, format(printf, 1, 2))) static void
usage_error(const char *format, ...)
{
    va_list args;

    fputs("server: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(" (try --help)\n", stderr);
    exit(2);
}

/* Prints to standard output and exits; a full disk is told. */
__attribute__((noreturn)) static void
print_and_exit(const char *text)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
        err(EXIT_FAILURE, "cannot write standard output");
    exit(EXIT_SUCCESS);
}

static int64_t
option_seconds_ns(const char *name, const char *value)
{
    uint64_t ms;

    if (!seconds_parse(value, strlen(value), &ms))
        usage_error("bad --%s '%s' (above 0, at most %" PRIu64 ")", name, value,
                    PROTO_TASK_MAX_MS / 1000);
    return (int64_t)ms * NS_PER_MS;
}

/* A path that fits into the address of a socket, unix(7). */
static const char *
option_socket(const char *name, const char *value)
{
    size_t limit = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (value[0] == '\0')
        usage_error("--%s needs a path that is not empty", name);
    if (strlen(value) > limit)
        usage_error("--%s: path too long (limit %zu bytes): '%s'", name, limit, value);
    return value;
}

/* A directory that replies can name. */
static const char *
option_output(const char *name, const char *value)
{
    size_t size = strlen(value);

    if (size == 0)
        usage_error("--%s needs a path that is not empty", name);
    if (size > OUTPUT_PATH_MAX)
        usage_error("--%s: path too long (limit %d bytes)", name, OUTPUT_PATH_MAX);
    for (size_t i = 0; i < size; i++)
        if (value[i] < ' ' || value[i] > '~')
            usage_error("--%s: replies name the path, which has to be printable ASCII", name);
    return value;
}

static unsigned
option_number(const char *name, const char *value, unsigned min, unsigned max)
{
    uint64_t number;

    if (!digits_parse(value, strlen(value), max, &number) || number < min || number > max)
        usage_error("bad --%s '%s' (%u to %u)", name, value, min, max);
    return (unsigned)number;
}

/* A descriptor that we were started with. */
static int
option_descriptor(const char *name, const char *value)
{
    int fd = (int)option_number(name, value, 3, INT_MAX - 1); /* the first three are in use */

    if (fcntl(fd, F_GETFD) < 0)
        usage_error("bad --%s '%s' (%s)", name, value, strerror(errno));
    return fd;
}

/* Takes one option; false if there is no such. */
static bool
option_take(int option)
{
    switch (option) {
    case 'c':
        server.connect_path = option_socket("connect", optarg);
        return true;
    case 'd':
        server.driver_path = optarg;
        return true;
    case 'g':
        server.deadlines[DEADLINE_EXIT].timeout_ns = option_seconds_ns("grace", optarg);
        return true;
    case 'j':
        server.json = true;
        return true;
    case 'l':
        server.listen_path = option_socket("listen", optarg);
        return true;
    case 'n':
        server.kept_wanted = option_number("drivers", optarg, 1, COUNT_MAX);
        return true;
    case 'o':
        server.output_path = option_output("output", optarg);
        return true;
    case 'r':
        server.ready_fd = option_descriptor("ready-fd", optarg);
        return true;
    case 't':
        server.deadlines[DEADLINE_REPLY].timeout_ns = option_seconds_ns("reply-timeout", optarg);
        return true;
    case 'v':
        server.verbose = true;
        return true;
    case 'h':
        print_and_exit(usage_text);
    case 'V':
        print_and_exit("taxi-server " VERSION "\n");
    default:
        return false;
    }
}

/* Words that are no options begin the command that --connect gives. */
static void
options_parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"connect", required_argument, NULL, 'c'},
        {"driver", required_argument, NULL, 'd'},
        {"drivers", required_argument, NULL, 'n'},
        {"grace", required_argument, NULL, 'g'},
        {"json", no_argument, NULL, 'j'},
        {"listen", required_argument, NULL, 'l'},
        {"output", required_argument, NULL, 'o'},
        {"ready-fd", required_argument, NULL, 'r'},
        {"reply-timeout", required_argument, NULL, 't'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    bool for_servers = false;
    int option;

    while ((option = getopt_long(argc, argv, "+:c:d:g:jl:n:o:r:t:vhV", options, NULL)) != -1) {
        if (option == ':')
            usage_error("%s needs a value", argv[optind - 1]);
        if (option == '?' && optopt != 0)
            usage_error("unknown option '-%c'", optopt);
        if (!option_take(option))
            usage_error("unknown option '%s'", argv[optind - 1]);
        for_servers |= option != 'c' && option != 'j';
    }
    if (server.connect_path == NULL && optind < argc)
        usage_error("unexpected argument '%s'", argv[optind]);
    if (server.connect_path != NULL && for_servers)
        usage_error("--connect goes with --json only");
}

/* The driver is beside our own binary, or where make install puts it; never looked for in the
 * working directory or in PATH. Where it is in neither place, create_driver will say so. */
static void
driver_locate(void)
{
    static char path[PATH_MAX + 32];
    char *slash;

    if (server.driver_path != NULL)
        return;
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (size < 0)
        err(EXIT_FAILURE, "cannot find my own binary");
    path[size] = '\0';
    slash = strrchr(path, '/');
    strcpy(slash, "/driver");
    if (access(path, X_OK) < 0) {
        strcpy(slash, "/../libexec/taxi/driver");
        if (access(path, X_OK) < 0)
            strcpy(slash, "/driver");
    }
    server.driver_path = path;
}

/* ---- --connect: a client of a server ------------------------------------------------------- */

enum {
    STATUS_ERROR = 1,     /* a reply was an Error */
    STATUS_NO_SERVER = 3, /* there is none, or it went away before all was answered */
};

/* Commands go up to the server, from standard input or from the command line; replies come down. */
static struct session {
    struct stream in, out;
    struct source socket, signals;
    struct buffer up, down;
    bool in_ended;   /* nothing more will come from standard input */
    bool up_ended;   /* and the server knows */
    bool down_ended; /* nothing more will come from the server */
    bool farewell;   /* and that was all there is */
    bool error;      /* a reply was an Error */
    bool up_failed;  /* a command could not be sent */
    bool prompted;   /* the prompt is the last thing to be seen */
    char line[16];   /* the beginning of the reply's line that is coming in */
    size_t line_size;
    int signal; /* that ends us; 0: none yet */
} session;

/* What is ready ends the wait; each turn tries all that can be read or written. */
static void
session_ready(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

static void
session_signalled(struct source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    if (read(source->fd, &info, sizeof(info)) == sizeof(info))
        session.signal = (int)info.ssi_signo;
}

/* Looks for Errors in what has come, behind a prompt or not. */
static void
session_scan(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        session.prompted = session.line_size == 1 && session.line[0] == '>' && text[i] == ' ';
        if (text[i] == '\n' || session.prompted)
            session.line_size = 0;
        else if (session.line_size < sizeof(session.line))
            session.line[session.line_size++] = text[i];
        if ((session.line_size == 7 && memcmp(session.line, "Error: ", 7) == 0) ||
            (session.line_size == 9 && memcmp(session.line, "{\"error\":", 9) == 0))
            session.error = true;
    }
}

static void
session_move_up(void)
{
    struct buffer *up = &session.up;

    if (buffer_used(up) == 0 && !session.in_ended && buffer_prepare(up)) {
        ssize_t n = stream_read(&session.in, up->data, BLOCK_SIZE);
        int error = errno;
        if (n > 0) {
            up->end = (size_t)n;
            session.prompted = false;
        } else if (n == 0 || (error == EIO && isatty(session.in.fd))) { /* it was hung up */
            session.in_ended = true;
        } else if (error != EAGAIN && error != EINTR) {
            errno = error;
            err(EXIT_FAILURE, "cannot read standard input");
        }
    }
    if (buffer_used(up) > 0) {
        ssize_t n = send(session.socket.fd, up->data + up->start, buffer_used(up),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            buffer_consume(up, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR) {
            /* What it has had before may have replies; but they are not all. */
            session.up_failed = session.in_ended = true;
            buffer_consume(up, buffer_used(up));
        }
    }
    if (session.in_ended && !session.up_ended && buffer_used(up) == 0) {
        shutdown(session.socket.fd, SHUT_WR);
        session.up_ended = true;
    }
}

static void
session_move_down(void)
{
    struct buffer *down = &session.down;

    if (buffer_used(down) == 0 && !session.down_ended && buffer_prepare(down)) {
        ssize_t n = recv(session.socket.fd, down->data, BLOCK_SIZE, MSG_DONTWAIT);
        if (n > 0) {
            session.farewell = down->data[n - 1] == FAREWELL[0];
            down->end = (size_t)n - session.farewell;
            session_scan(down->data, down->end);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            session.down_ended = true;
        }
    }
    if (buffer_used(down) > 0) {
        ssize_t n = stream_write(&session.out, down->data + down->start, buffer_used(down));
        if (n >= 0)
            buffer_consume(down, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
            err(EXIT_FAILURE, "cannot write standard output");
    }
}

static void
session_stream_watch(struct stream *stream, uint32_t events)
{
    if (stream->kind != STREAM_FILE && !source_watch(&stream->source, events))
        err(EXIT_FAILURE, "cannot wait for standard input or output");
}

/* Waits until something can be moved, or a signal comes. */
static void
session_wait(void)
{
    static struct epoll_event events[4]; /* one a source */
    bool reads = buffer_used(&session.up) == 0 && !session.in_ended && !session.down_ended;
    bool sends = buffer_used(&session.up) > 0;
    bool receives = buffer_used(&session.down) == 0 && !session.down_ended;
    bool writes = buffer_used(&session.down) > 0;

    session_stream_watch(&session.in, reads ? EPOLLIN : 0);
    session_stream_watch(&session.out, writes ? EPOLLOUT : 0);
    if (!source_watch(&session.socket, (sends ? EPOLLOUT : 0) | (receives ? EPOLLIN : 0)))
        err(EXIT_FAILURE, "cannot wait for the server");
    bool idle = !(reads && session.in.kind == STREAM_FILE);
    int n = epoll_wait(server.epoll_fd, events, 4, idle ? -1 : 0);
    for (int i = 0; i < n; i++) {
        struct source *source = events[i].data.ptr;
        source->ready(source, events[i].events);
    }
}

/* Connects; waits for the server if many do. Exits if there is none. */
static void
session_connect(void)
{
    struct sockaddr_un address = control_address(server.connect_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        err(EXIT_FAILURE, "cannot create a socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(STATUS_NO_SERVER, "no server answers at %s", server.connect_path);
    session.socket = (struct source){.fd = fd, .ready = session_ready};
}

/* Has the signals that end us read from a signalfd, but for those that we were started to ignore.
 * What stops and continues a job is left to the kernel. */
static void
session_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction action;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    session.signals = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
                                      .ready = session_signalled};
    if (session.signals.fd < 0 || !source_watch(&session.signals, EPOLLIN))
        err(EXIT_FAILURE, "cannot create a signalfd");
}

/* Puts the words of a command together to a line. Exits if they cannot be one. */
static void
session_put_command(char **words)
{
    size_t start = session.up.end;

    for (; *words != NULL; words++) {
        if (strchr(*words, '\n') != NULL)
            usage_error("a command is one line");
        if (session.up.end - start + strlen(*words) + 1 > LINE_MAX_SIZE)
            usage_error("command too long (limit %d bytes)", LINE_MAX_SIZE);
        buffer_append_string(&session.up, *words);
        buffer_append_string(&session.up, words[1] != NULL ? " " : "\n");
    }
    session.in_ended = true;
}

static void
session_open(char **words)
{
    bool terminal = words[0] == NULL && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll_fd < 0 || !buffer_prepare(&session.up))
        err(EXIT_FAILURE, "cannot start");
    buffer_append_string(&session.up, "session farewell");
    buffer_append_string(&session.up, server.json ? " json" : "");
    buffer_append_string(&session.up, terminal ? " prompt\n" : "\n");
    session.in.kind = STREAM_FILE;
    if (words[0] != NULL)
        session_put_command(words);
    else if (!stream_open(&session.in, STDIN_FILENO, O_RDONLY))
        err(EXIT_FAILURE, "cannot read standard input");
    if (!stream_open(&session.out, STDOUT_FILENO, O_WRONLY))
        err(EXIT_FAILURE, "cannot write standard output");
    session.in.source.ready = session.out.source.ready = session_ready;
    session_connect();
    session_signals();
}

/* Has the server do what standard input or, if there are any, these words say. Returns the exit
 * status. */
static int
session_run(char **words)
{
    session_open(words);
    for (;;) {
        session_move_up();
        session_move_down();
        if (session.signal != 0 || (session.down_ended && buffer_used(&session.down) == 0))
            break;
        session_wait();
    }
    if (session.prompted)
        stream_write(&session.out, "\n", 1); /* the shell's prompt has a line of its own */
    pool_free(&server.blocks);
    if (session.signal != 0) {
        /* Whoever started us is to see which signal it was. */
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, session.signal);
        raise(session.signal);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    if (!session.farewell || session.up_failed)
        errx(STATUS_NO_SERVER, "the server at %s has ended the connection", server.connect_path);
    return session.error ? STATUS_ERROR : EXIT_SUCCESS;
}

/* ---- main ---------------------------------------------------------------------------------- */

/* Whether a variable, "NAME=value", is passed on to the drivers: who and where we are, and in what
 * language. What else there is may be meant for us alone: a password, a supervisor's socket. */
static bool
variable_passed(const char *variable)
{
    static const char *const names[] = {"HOME=",  "LANG=", "LANGUAGE=", "LC_", "LOGNAME=", "PATH=",
                                        "SHELL=", "TERM=", "TMPDIR=",   "TZ=", "USER="};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void
environment_prepare(void)
{
    size_t count = 0, passed = 0;

    while (environ[count] != NULL)
        count++;
    server.driver_env = calloc(count + 1, sizeof(*server.driver_env));
    if (server.driver_env == NULL)
        err(EXIT_FAILURE, "cannot start");
    for (size_t i = 0; i < count; i++)
        if (variable_passed(environ[i]))
            server.driver_env[passed++] = environ[i];
}

/* A descriptor 0, 1 or 2 that was closed is filled with one that fails as it would have: else the
 * next thing that we open would be taken for it. */
static void
streams_fill(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
            err(EXIT_FAILURE, "cannot fill descriptor %d", fd);
}

/* Descriptors that we were started with are none of the drivers' business. Their own limit of
 * descriptors is the one that we were started with; ours is as high as it goes. */
static void
descriptors_prepare(void)
{
    struct rlimit limit;

    if (syscall(SYS_close_range, 3U, ~0U, RANGE_CLOEXEC) < 0)
        err(EXIT_FAILURE, "cannot mark descriptors close-on-exec (Linux 5.11 is needed)");
    if (getrlimit(RLIMIT_NOFILE, &server.nofile) < 0)
        err(EXIT_FAILURE, "cannot get the limit of descriptors");
    limit = server.nofile;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* with fewer, fewer drivers: create_driver will say */
}

/* The directory for the output of commands is made, if there is none. */
static void
output_prepare(void)
{
    struct stat status;

    if (mkdir(server.output_path, 0777) < 0 && errno != EEXIST)
        err(EXIT_FAILURE, "cannot make the directory %s", server.output_path);
    if (stat(server.output_path, &status) == 0 && !S_ISDIR(status.st_mode))
        errx(EXIT_FAILURE, "cannot write into %s: Not a directory", server.output_path);
    if (access(server.output_path, W_OK | X_OK) < 0)
        err(EXIT_FAILURE, "cannot write into %s", server.output_path);
}

/* Everything that the loop works with, for these signals. Exits if it cannot be had. */
static void
server_open(const sigset_t *signals)
{
    server.pid = getpid();
    server.started_ns = server.now_ns = clock_ns();
    for (int kind = 0; kind < DEADLINE_KINDS; kind++)
        list_init(&server.deadlines[kind].queue);
    server.deadlines[DEADLINE_STOP].timeout_ns =
        server.deadlines[DEADLINE_EXIT].timeout_ns + LAST_WORDS_MS * NS_PER_MS;
    list_init(&server.stop_deadline.link);
    list_init(&server.sweep_deadline.link);
    list_init(&server.retry_deadline.link);
    list_init(&server.replace_deadline.link);
    list_init(&server.drivers);
    list_init(&server.dropped);
    list_init(&server.unsent);
    list_init(&server.ended);
    list_init(&server.idle);
    list_init(&server.any_waiting);
    list_init(&server.all_waiting);
    list_init(&server.connections);
    list_init(&server.dropped_clients);
    list_init(&server.runnable);
    list_init(&server.lacking);
    owed_share_out();
    server.kept_missing = server.kept_wanted;
    server.warming_up = server.kept_wanted > 0;
    server.by_pid_size = 64;
    server.by_pid = calloc(server.by_pid_size, sizeof(struct driver *));
    /* With a slab of each, a command that has to wait for memory waits for another command. */
    if (server.by_pid == NULL || !pool_grow(&server.blocks) || !pool_grow(&server.requests) ||
        !pool_grow(&server.calls) || !pool_grow(&server.texts))
        err(EXIT_FAILURE, "cannot start");
    help_make();
    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll_fd < 0)
        err(EXIT_FAILURE, "cannot create an epoll set");
    if (!spawn_open())
        err(EXIT_FAILURE, "cannot open /dev/null");
    server.signals = (struct source){.fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK),
                                     .ready = signals_ready};
    if (server.signals.fd < 0 || !source_watch(&server.signals, EPOLLIN))
        err(EXIT_FAILURE, "cannot create a signalfd");
    server.timer = (struct source){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), .ready = timer_ready};
    if (server.timer.fd < 0 || !source_watch(&server.timer, EPOLLIN))
        err(EXIT_FAILURE, "cannot create a timerfd");
    if (server.listener.fd >= 0 && !source_watch(&server.listener, EPOLLIN))
        err(EXIT_FAILURE, "cannot watch the control socket");
}

static void
server_close(void)
{
    drivers_free_dropped(true);
    while (!list_empty(&server.connections))
        client_end(container_of(server.connections.next, struct client, link));
    console_close(&server.console);
    stream_close(&server.log);
    source_close(&server.timer);
    source_close(&server.signals);
    close(server.spawn_fd);
    close(server.null_fd);
    close(server.epoll_fd);
    pool_free(&server.blocks);
    pool_free(&server.requests);
    pool_free(&server.calls);
    pool_free(&server.texts);
    pool_free(&server.clients);
    pool_free(&server.runs);
    pool_free(&server.run_texts);
    free(server.by_pid);
    free(server.driver_env);
}

/* Waits for what is ready and has it handled; then does what that has led to. */
static void
loop_turn(void)
{
    static struct epoll_event events[EVENTS_PER_TURN]; /* receives, see source_watch() */

    if (kept_startable())
        kept_start();
    if (!server.announced && !server.stopping && kept_all_up())
        server_announce();
    bool idle = list_empty(&server.runnable) && list_empty(&server.unsent) && !kept_startable();
    int n = epoll_wait(server.epoll_fd, events, EVENTS_PER_TURN, idle ? -1 : 0);
    if (n < 0 && errno != EINTR)
        err(EXIT_FAILURE, "cannot wait for events");
    server.now_ns = clock_ns();
    for (int i = 0; i < n; i++) {
        struct source *source = events[i].data.ptr;
        if (source->fd >= 0)
            source->ready(source, events[i].events);
    }
    drivers_reap_ended();
    orphans_kill();
    clients_run();
    tasks_assign();
    waits_end();
    server.now_ns = clock_ns(); /* the time of a call runs from here */
    for (int i = 0; i < FLUSHES_PER_TURN && !list_empty(&server.unsent); i++)
        driver_flush(container_of(server.unsent.next, struct driver, unsent));
    if (server.stopping)
        listener_close();
    drivers_free_dropped(false);
    clients_free_dropped();
    clients_retry();
    deadlines_arm();
}

/* Every client has all that it is to have. */
static bool
clients_finished(void)
{
    return client_finished(&server.console) && list_empty(&server.connections);
}

static bool
server_finished(void)
{
    bool orphans = server.orphans && !list_empty(&server.stop_deadline.link);

    return server.stopping && server.listener.fd < 0 && list_empty(&server.drivers) && !orphans &&
           (clients_finished() || (server.out_of_time && list_empty(&server.runnable)));
}

/* Runs until it is stopped. Returns the exit status. */
static int
server_run(void)
{
    sigset_t signals;

    if (server.listen_path != NULL)
        listener_open();
    if (!signals_block(&signals))
        err(EXIT_FAILURE, "cannot block signals");
    driver_locate();
    if (server.output_path != NULL)
        output_prepare();
    environment_prepare();
    descriptors_prepare();
    server_open(&signals);
    stream_open(&server.log, STDERR_FILENO, O_WRONLY);
    server.log_is_terminal = isatty(STDERR_FILENO);
    console_open(&server.console);
    while (child_reap(-1))
        ; /* who died before SIGCHLD was blocked */
    server.childless = server.pid != 1 && waitpid(-1, NULL, WNOHANG) < 0;
    /* What a driver that is killed leaves becomes our child; if not, that of process 1. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        log_line("cannot become a subreaper: %s", strerror(errno));
    while (!server_finished())
        loop_turn();
    if (!clients_finished())
        log_line("output that nobody read was dropped");
    if (server.cancelled_at_stop > 0)
        log_line("%" PRIu64 " %s cancelled", server.cancelled_at_stop,
                 server.cancelled_at_stop == 1 ? "task" : "tasks");
    server_close();
    return server.exit_status;
}

int
main(int argc, char **argv)
{
    program_invocation_short_name = "server"; /* what err(3) puts first, as log_line() does */
    streams_fill();
    options_parse(argc, argv);
    if (server.connect_path != NULL)
        return session_run(argv + optind);
    return server_run();
}

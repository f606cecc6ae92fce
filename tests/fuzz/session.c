/*
 * Fuzzes the server as a whole: its command parser and the state machine of its drivers. It is the
 * real server.c, in this process, turn by turn. Only what reaches outside of it is replaced: clone()
 * makes no process but keeps the driver's end of the socketpair, waitpid() tells of the deaths that
 * the input asks for, kill() notes, and the clock and the timer are the input's to advance.
 *
 * The input is a sequence of steps: a byte that chooses, then what the step takes. If COMMANDS_ONLY
 * is defined, it is what the client says, and the drivers are silent. At the end the server is
 * stopped, all drivers die, and the books must balance: nothing queued, nothing owed.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

static int fuzz_clone(int (*run)(void *), void *stack, int flags, void *argument);
static pid_t fuzz_waitpid(pid_t pid, int *status, int options);
static int fuzz_kill(pid_t pid, int number);
static int fuzz_clock_gettime(clockid_t clock, struct timespec *now);

static unsigned fuzz_failures; /* allocations that are to fail */

static void *
fuzz_malloc(size_t size)
{
    if (fuzz_failures == 0)
        return malloc(size);
    fuzz_failures--;
    errno = ENOMEM;
    return NULL;
}

static void *
fuzz_calloc(size_t count, size_t size)
{
    if (fuzz_failures == 0)
        return calloc(count, size);
    fuzz_failures--;
    errno = ENOMEM;
    return NULL;
}

#define main                                 server_main
#define malloc                               fuzz_malloc
#define calloc                               fuzz_calloc
#define clone                                fuzz_clone
#define waitpid                              fuzz_waitpid
#define kill                                 fuzz_kill
#define clock_gettime                        fuzz_clock_gettime
#define timerfd_create(clock, flags)         eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
#define timerfd_settime(fd, flags, at, none) ((void)(at), 0)

#include "../../server.c"

enum {
    FUZZ_DRIVERS = 16,
    FUZZ_CLIENTS = 3,
    FIRST_PID = 1000,
};

static struct fuzz_driver {
    int socket; /* the driver's end; -1: closed */
    pid_t pid;  /* 0: none, or reaped */
    bool dead;  /* to be reaped */
    int status;
} fuzz_drivers[FUZZ_DRIVERS];

/* The other ends of the clients: of standard input and output, and of connections; -1: closed. */
static int fuzz_clients[FUZZ_CLIENTS];
static pid_t fuzz_next_pid;
static int64_t fuzz_now_ns;
static struct fuzz_input {
    const uint8_t *at, *end;
} fuzz_input;

/* The socket is dup'ed, as a child would have it. */
static int
fuzz_clone(int (*run)(void *), void *stack, int flags, void *argument)
{
    (void)run, (void)stack, (void)flags, (void)argument;
    for (size_t i = 0; i < FUZZ_DRIVERS; i++) {
        if (fuzz_drivers[i].pid != 0)
            continue;
        fuzz_drivers[i] =
            (struct fuzz_driver){.socket = dup(server.spawn_fd), .pid = fuzz_next_pid++};
        return fuzz_drivers[i].pid;
    }
    errno = EAGAIN;
    return -1;
}

static pid_t
fuzz_waitpid(pid_t pid, int *status, int options)
{
    (void)options;
    for (size_t i = 0; i < FUZZ_DRIVERS; i++) {
        struct fuzz_driver *driver = &fuzz_drivers[i];
        if (driver->pid == 0 || !driver->dead || (pid > 0 && pid != driver->pid))
            continue;
        pid = driver->pid;
        *status = driver->status;
        driver->pid = 0;
        return pid;
    }
    return 0;
}

static void
fuzz_die(struct fuzz_driver *driver, int status)
{
    if (driver->socket >= 0)
        close(driver->socket);
    driver->socket = -1;
    driver->dead = true;
    driver->status = status;
}

/* A signal to a pid that is not a driver's any more is a bug of the server. */
static int
fuzz_kill(pid_t pid, int number)
{
    for (size_t i = 0; i < FUZZ_DRIVERS; i++) {
        if (fuzz_drivers[i].pid != pid)
            continue;
        if (!fuzz_drivers[i].dead)
            fuzz_die(&fuzz_drivers[i], number);
        return 0;
    }
    abort();
}

static int
fuzz_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    now->tv_sec = fuzz_now_ns / NS_PER_S;
    now->tv_nsec = fuzz_now_ns % NS_PER_S;
    return 0;
}

static uint8_t
take(void)
{
    return fuzz_input.at < fuzz_input.end ? *fuzz_input.at++ : 0;
}

/* Takes up to that many bytes. */
static struct span
take_bytes(size_t size)
{
    struct span bytes = {.at = (const char *)fuzz_input.at, .size = size};

    if (bytes.size > (size_t)(fuzz_input.end - fuzz_input.at))
        bytes.size = (size_t)(fuzz_input.end - fuzz_input.at);
    fuzz_input.at += bytes.size;
    return bytes;
}

static void
put(int socket, const void *data, size_t size)
{
    if (socket >= 0)
        (void)!send(socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A client reads what there is. */
static void
drain(int socket)
{
    char data[65536];

    if (socket >= 0)
        (void)!recv(socket, data, sizeof(data), MSG_DONTWAIT);
}

static void
hang_up(int *socket)
{
    if (*socket >= 0)
        close(*socket);
    *socket = -1;
}

static void
fire_timer(void)
{
    uint64_t one = 1;

    (void)!write(server.timer.fd, &one, sizeof(one));
}

#ifdef COMMANDS_ONLY

static void
step(void)
{
    struct span bytes = take_bytes(1 + (size_t)take() * 32);

    put(fuzz_clients[0], bytes.at, bytes.size);
    drain(fuzz_clients[0]);
}

#else

/* A command with a pid that is likely to be a driver's. */
static void
step_command(int client)
{
    static const char *const formats[] = {
        "create_driver\n",
        "create_driver %d\n",
        "get_drivers\n",
        "send_task %d 5\n",
        "send_task %d 0.001\n",
        "get_status %d\n",
        "cancel_task %d\n",
        "delete_driver %d\n",
        "stats\n",
        "help\n",
        "nonsense %d\n",
        "get_status %d",
        "send_task any 1\n",
        "wait\n",
        "wait %d\n",
        "session json\n",
        "session farewell\n",
        "quit\n",
        "run %d 5 true\n",
        "run any 1 sleep 5\n",
    };
    char line[64];
    const char *format = formats[take() % (sizeof(formats) / sizeof(formats[0]))];
    int number = take();

    number = strncmp(format, "create", 6) == 0 ? number % 8 : FIRST_PID + number % FUZZ_DRIVERS;
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    put(client, line, (size_t)snprintf(line, sizeof(line), format, number));
}

/* More commands than there are objects for, before any is answered. */
static void
step_flood(int client, int driver)
{
    char lines[4096];
    size_t size = 0;

    for (int i = take(); i > 0; i--)
        size += (size_t)snprintf(lines + size, sizeof(lines) - size, "%s %d\n",
                                 i % 4 ? "get_status" : "fly", FIRST_PID + driver % 4);
    put(client, lines, size);
}

/* A RESULT that may be right. */
static void
step_result(struct fuzz_driver *driver)
{
    struct {
        struct proto_header header;
        struct proto_result result;
    } frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_RESULT, take()),
        .result.outcome = take() % 6,
        .result.status = take(),
    };

    put(driver->socket, &frame, sizeof(frame));
}

/* A frame that is well formed, and may even be right. */
static void
step_frame(struct fuzz_driver *driver)
{
    static const enum proto_type types[] = {PROTO_HELLO, PROTO_STATE, PROTO_END};
    unsigned type = take() % 4;

    if (type == 3) {
        step_result(driver);
        return;
    }
    struct proto_frame frame = {.header = proto_header(PROTO_FROM_DRIVER, types[type], take())};

    if (frame.header.type == PROTO_HELLO) {
        frame.header.id = 0;
        frame.hello.pid = (uint32_t)driver->pid;
    } else if (frame.header.type == PROTO_STATE) {
        frame.state.refusal = take() % 5;
        frame.state.busy = take() % 2;
        frame.state.value = take();
        frame.state.remaining_ms = frame.state.busy ? 1000 : 0;
    } else {
        frame.header.id = 0;
        frame.end.outcome = take() % 2 ? PROTO_DONE : PROTO_CANCELLED;
    }
    put(driver->socket, &frame, proto_size(&frame));
}

/* A client connects, leaves, or says that it has said all. */
static void
step_connection(int *client)
{
    int pair[2];

    switch (take() % 4) {
    case 0:
        shutdown(*client, SHUT_WR);
        break;
    case 1:
        hang_up(client);
        break;
    default:
        hang_up(client);
        if (server.stopping ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
            break;
        *client = pair[0];
        if (!connection_open(pair[1]))
            close(pair[1]);
        break;
    }
}

static void
step(void)
{
    uint8_t choice = take();
    struct fuzz_driver *driver = &fuzz_drivers[choice / 16];
    int *client = &fuzz_clients[choice / 16 % FUZZ_CLIENTS];
    struct span bytes;

    switch (choice % 16) {
    case 0:
    case 1:
    case 2:
        step_command(*client);
        break;
    case 3:
        if (client != fuzz_clients)
            step_connection(client);
        else
            step_command(*client);
        break;
    case 4:
        bytes = take_bytes(take());
        put(*client, bytes.at, bytes.size);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        step_frame(driver);
        break;
    case 9:
        bytes = take_bytes(take() % 32);
        put(driver->socket, bytes.at, bytes.size);
        break;
    case 10: /* the driver closes its socket */
        hang_up(&driver->socket);
        break;
    case 11: /* it dies, and that is seen now */
        if (driver->pid != 0 && !driver->dead)
            fuzz_die(driver, take());
        child_died(driver->pid); /* a hint that may be as good as any */
        break;
    case 12:
        fuzz_now_ns += take() * 20 * NS_PER_MS;
        fire_timer();
        break;
    case 13: /* it reads what it was sent */
        drain(driver->socket);
        break;
    case 14: /* the client reads */
        drain(*client);
        break;
    case 15:
        if (choice / 16 == 0)
            server_stop(take() % 2);
        else if (choice / 16 < 8)
            fuzz_failures = take();
        else
            step_flood(*client, choice / 16);
        break;
    }
}

#endif

/* A turn that does not wait: something is always ready. */
static void
turn(void)
{
    client_wake(&server.console);
    loop_turn();
}

static void
fuzz_open(void)
{
    sigset_t none;
    int pair[2];
    struct client *client = &server.console;

    fuzz_failures = 0;
    fuzz_next_pid = FIRST_PID;
    fuzz_now_ns = NS_PER_S;
    server.driver_path = "/none";
    sigemptyset(&none);
    server_open(&none);
    server.log = (struct stream){.source.fd = -1, .fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    fuzz_clients[0] = pair[0];
    client_init(client);
    client->in = (struct stream){
        .source = {.fd = pair[1], .ready = client_in_ready}, .fd = pair[1], .kind = STREAM_SOCKET};
    client->out = (struct stream){.source = {.fd = dup(pair[1]), .ready = client_out_ready},
                                  .kind = STREAM_SOCKET};
    client->out.fd = client->out.source.fd;
}

/* Whether all objects of the pool have been given back. */
static bool
fuzz_all_free(const struct pool *pool)
{
    size_t there = 0, not_taken = 0;

    for (const struct pool_slab *slab = pool->slabs; slab != NULL; slab = slab->next)
        there += pool->per_slab;
    for (const struct pool_item *item = pool->free; item != NULL; item = item->next)
        not_taken++;
    return there == not_taken;
}

/* Stops it as two signals would, with a reader that reads to the end. */
static void
fuzz_finish(void)
{
    fuzz_failures = 0;
    server_stop(false);
    server_stop(false);
    for (int turns = 0; !server_finished(); turns++) {
        assert(turns < 1000);
        for (size_t i = 0; i < FUZZ_DRIVERS; i++)
            if (fuzz_drivers[i].pid != 0 && !fuzz_drivers[i].dead)
                fuzz_die(&fuzz_drivers[i], 0);
        while (child_reap(-1))
            ;
        for (int i = 0; i < FUZZ_CLIENTS; i++)
            drain(fuzz_clients[i]);
        turn();
    }
    fuzz_now_ns += 2 * RETRY_DELAY_MS * NS_PER_MS;
    fire_timer();
    for (int turns = 0; turns < 100; turns++) {
        for (int i = 0; i < FUZZ_CLIENTS; i++)
            drain(fuzz_clients[i]);
        turn();
    }
    assert(list_empty(&server.console.requests) && server.console.owed == 0);
    assert(buffer_used(&server.console.output) == 0 && list_empty(&server.console.held));
    assert(list_empty(&server.connections) && server.connection_count == 0);
    assert(list_empty(&server.any_waiting) && list_empty(&server.all_waiting));
    assert(list_empty(&server.idle) && server.engaged == 0 && server.kept_starting == 0);
    assert(list_empty(&server.ended));
    for (int state = 0; state < DRIVER_STATES; state++)
        assert(server.counts[state] == 0);
    for (int kind = 0; kind < DEADLINE_KINDS; kind++)
        assert(list_empty(&server.deadlines[kind].queue) || kind >= DEADLINE_STOP);
    for (size_t i = 0; i < server.by_pid_size; i++)
        assert(server.by_pid[i] == NULL);
    assert(list_empty(&server.unsent) && list_empty(&server.dropped));
    assert(server.console.runs == 0 && fuzz_all_free(&server.runs) &&
           fuzz_all_free(&server.run_texts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server initial;
    static bool saved;

    if (!saved) {
        initial = server;
        saved = true;
    }
    server = initial;
    memset(fuzz_drivers, 0, sizeof(fuzz_drivers));
    for (size_t i = 0; i < FUZZ_DRIVERS; i++)
        fuzz_drivers[i].socket = -1;
    for (size_t i = 0; i < FUZZ_CLIENTS; i++)
        fuzz_clients[i] = -1;
    fuzz_input = (struct fuzz_input){.at = data, .end = data + size};
#ifndef COMMANDS_ONLY
    server.kept_wanted = take() % 4;
#endif
    fuzz_open();
    while (fuzz_input.at < fuzz_input.end && !server_finished()) {
        step();
        turn();
    }
    fuzz_finish();
    close(server.console.in.fd);
    close(server.console.out.fd);
    server.console.in.source.events = server.console.out.source.events = 0;
    server.console.in.source.fd = server.console.in.fd = -1;
    server.console.out.source.fd = server.console.out.fd = -1;
    for (size_t i = 0; i < FUZZ_CLIENTS; i++)
        hang_up(&fuzz_clients[i]);
    server_close();
    return 0;
}

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
    FIRST_PID = 1000,
};

static struct fuzz_driver {
    int socket; /* the driver's end; -1: closed */
    pid_t pid;  /* 0: none, or reaped */
    bool dead;  /* to be reaped */
    int status;
} fuzz_drivers[FUZZ_DRIVERS];

static int fuzz_client; /* the other end of standard input and output */
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

#ifdef COMMANDS_ONLY

static void
step(void)
{
    struct span bytes = take_bytes(1 + (size_t)take() * 32);
    char drain[65536];

    put(fuzz_client, bytes.at, bytes.size);
    (void)!recv(fuzz_client, drain, sizeof(drain), MSG_DONTWAIT);
}

#else

/* A command with a pid that is likely to be a driver's. */
static void
step_command(void)
{
    static const char *const formats[] = {
        "create_driver\n",  "create_driver %d\n",   "get_drivers\n",
        "send_task %d 5\n", "send_task %d 0.001\n", "get_status %d\n",
        "cancel_task %d\n", "delete_driver %d\n",   "stats\n",
        "help\n",           "nonsense %d\n",        "get_status %d",
    };
    char line[64];
    const char *format = formats[take() % (sizeof(formats) / sizeof(formats[0]))];
    int number = take();

    number = strncmp(format, "create", 6) == 0 ? number % 8 : FIRST_PID + number % FUZZ_DRIVERS;
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    put(fuzz_client, line, (size_t)snprintf(line, sizeof(line), format, number));
}

/* More commands than there are objects for, before any is answered. */
static void
step_flood(int driver)
{
    char lines[4096];
    size_t size = 0;

    for (int i = take(); i > 0; i--)
        size += (size_t)snprintf(lines + size, sizeof(lines) - size, "%s %d\n",
                                 i % 4 ? "get_status" : "fly", FIRST_PID + driver % 4);
    put(fuzz_client, lines, size);
}

/* A frame that is well formed, and may even be right. */
static void
step_frame(struct fuzz_driver *driver)
{
    static const enum proto_type types[] = {PROTO_HELLO, PROTO_STATE, PROTO_END};
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, types[take() % 3], take()),
    };

    if (frame.header.type == PROTO_HELLO) {
        frame.header.id = 0;
        frame.hello.pid = (uint32_t)driver->pid;
    } else if (frame.header.type == PROTO_STATE) {
        frame.state.refusal = take() % 4;
        frame.state.busy = take() % 2;
        frame.state.remaining_ms = frame.state.busy ? 1000 : 0;
    } else {
        frame.header.id = 0;
        frame.end.outcome = take() % 2 ? PROTO_DONE : PROTO_CANCELLED;
    }
    put(driver->socket, &frame, proto_size(&frame));
}

static void
fire_timer(void)
{
    uint64_t one = 1;

    (void)!write(server.timer.fd, &one, sizeof(one));
}

static void
step(void)
{
    uint8_t choice = take();
    struct fuzz_driver *driver = &fuzz_drivers[choice / 16];
    struct span bytes;
    char drain[4096];

    switch (choice % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
        step_command();
        break;
    case 4:
        bytes = take_bytes(take());
        put(fuzz_client, bytes.at, bytes.size);
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
        if (driver->socket >= 0)
            close(driver->socket);
        driver->socket = -1;
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
        if (driver->socket >= 0)
            (void)!recv(driver->socket, drain, sizeof(drain), MSG_DONTWAIT);
        break;
    case 14: /* the client reads, or asks for more than fits */
        (void)!recv(fuzz_client, drain, sizeof(drain), MSG_DONTWAIT);
        break;
    case 15:
        if (choice / 16 == 0)
            server_stop(take() % 2);
        else if (choice / 16 < 8)
            fuzz_failures = take();
        else
            step_flood(choice / 16);
        break;
    }
}

#endif

/* A turn that does not wait: something is always ready. */
static void
turn(void)
{
    client_wake(&server.client);
    loop_turn();
}

static void
fuzz_open(void)
{
    sigset_t none;
    int pair[2];
    struct client *client = &server.client;

    fuzz_failures = 0;
    fuzz_next_pid = FIRST_PID;
    fuzz_now_ns = NS_PER_S;
    server.driver_path = "/none";
    server.deadlines[DEADLINE_START].timeout_ns = START_TIMEOUT_S * NS_PER_S;
    server.deadlines[DEADLINE_REPLY].timeout_ns = NS_PER_S;
    server.deadlines[DEADLINE_EXIT].timeout_ns = 2 * NS_PER_S;
    server.deadlines[DEADLINE_STOP].timeout_ns = 2 * NS_PER_S;
    server.deadlines[DEADLINE_SWEEP].timeout_ns = SWEEP_DELAY_MS * NS_PER_MS;
    sigemptyset(&none);
    server_open(&none);
    server.log = (struct stream){.source.fd = -1, .fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    fuzz_client = pair[0];
    client->in = (struct stream){
        .source = {.fd = pair[1], .ready = client_in_ready}, .fd = pair[1], .kind = STREAM_SOCKET};
    client->out = (struct stream){.source = {.fd = dup(pair[1]), .ready = client_out_ready},
                                  .kind = STREAM_SOCKET};
    client->out.fd = client->out.source.fd;
    list_init(&client->requests);
    list_init(&client->runnable);
    list_init(&client->held);
}

/* Stops it as two signals would, with a reader that reads to the end. */
static void
fuzz_finish(void)
{
    char drain[65536];

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
        (void)!recv(fuzz_client, drain, sizeof(drain), MSG_DONTWAIT);
        turn();
    }
    for (int turns = 0; turns < 100; turns++) {
        (void)!recv(fuzz_client, drain, sizeof(drain), MSG_DONTWAIT);
        turn();
    }
    assert(list_empty(&server.client.requests) && server.client.owed == 0);
    assert(buffer_used(&server.client.output) == 0 && list_empty(&server.client.held));
    assert(list_empty(&server.ended));
    for (int state = 0; state < DRIVER_STATES; state++)
        assert(server.counts[state] == 0);
    for (int kind = 0; kind < DEADLINE_STOP; kind++)
        assert(list_empty(&server.deadlines[kind].queue));
    for (size_t i = 0; i < server.by_pid_size; i++)
        assert(server.by_pid[i] == NULL);
    assert(list_empty(&server.unsent) && list_empty(&server.dropped));
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
    fuzz_open();
    fuzz_input = (struct fuzz_input){.at = data, .end = data + size};
    while (fuzz_input.at < fuzz_input.end && !server_finished()) {
        step();
        turn();
    }
    fuzz_finish();
    close(server.client.in.fd);
    close(server.client.out.fd);
    server.client.in.source.events = server.client.out.source.events = 0;
    server.client.in.source.fd = server.client.in.fd = -1;
    server.client.out.source.fd = server.client.out.fd = -1;
    close(fuzz_client);
    server_close();
    return 0;
}

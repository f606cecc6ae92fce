/*
 * Fuzzes the server as a whole: its command parser and the state machine of its drivers. It is the
 * real server, in this process, turn by turn; see world.h for what is replaced.
 *
 * The input is a sequence of steps: a byte that chooses, then what the step takes. If COMMANDS_ONLY
 * is defined, it is what the client says, and the drivers are silent. Otherwise, the drivers say
 * anything, or all of them keep to the protocol, see honest.h. At the end the server is stopped, all
 * drivers die, and the books must balance: nothing queued, nothing owed.
 */
#include "state.h"

#include "honest.h"

enum {
    FUZZ_CLIENTS = 3,
};

/* The other ends of the clients: of standard input and output, and of connections; -1: closed. */
static int fuzz_clients[FUZZ_CLIENTS];

/* The last half line of each, if it has sent nothing since; 0: none. */
static unsigned fuzz_halves[FUZZ_CLIENTS];
static bool fuzz_ended[FUZZ_CLIENTS]; /* it has shut down its sending side */
static unsigned fuzz_last_half;
static struct fuzz_input {
    const uint8_t *at, *end;
} fuzz_input;
static bool fuzz_honest; /* the drivers keep to the protocol */

static uint8_t
take_byte(void)
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

/* A client, or a driver, reads what there is. */
static void
drain(int socket)
{
    static char data[65536 + 1];
    ssize_t n = socket >= 0 ? recv(socket, data, sizeof(data) - 1, MSG_DONTWAIT) : 0;

    if (n <= 0 || !fuzz_honest)
        return;
    data[n] = '\0';
    for (char *line = data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        honest_hear(line); /* of a line that was read in two parts, neither is one that it knows */
}

static void
hang_up(int *socket)
{
    if (*socket >= 0)
        close(*socket);
    *socket = -1;
}

#ifdef COMMANDS_ONLY

static void
step(void)
{
    struct span bytes = take_bytes(1 + (size_t)take_byte() * 32);

    put(fuzz_clients[0], bytes.at, bytes.size);
    drain(fuzz_clients[0]);
}

#else

/* A client sends something, which may end in the half line of that number. */
static void
put_line(int client, const void *data, size_t size, unsigned half)
{
    int socket = fuzz_clients[client];

    if (socket >= 0 && size > 0 && send(socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        fuzz_halves[client] = half < HONEST_HALVES ? half : 0;
}

/* A client dies, perhaps in the middle of a line. */
static void
client_die(int client)
{
    if (!fuzz_ended[client])
        honest_dead[fuzz_halves[client]] = fuzz_halves[client] > 0;
    hang_up(&fuzz_clients[client]);
    fuzz_halves[client] = 0;
    fuzz_ended[client] = false;
}

/* A command with a number that is likely to be a driver's or a job's; or half a line that could be
 * run, whose number is new. */
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
        "run any 0.001 true\n",
        "shutdown\n",
        "submit 5 true\n",
        "submit 0.001 true\n",
        "get_jobs\n",
        "get_jobs all\n",
        "wait_job %d\n",
        "cancel_job %d\n",
        "pause\n",
        "resume\n",
        "wait own\n",
        "run any 5 half %d",
        "submit 5 half %d",
    };
    char line[64];
    const char *format = formats[take_byte() % (sizeof(formats) / sizeof(formats[0]))];
    int number = take_byte();
    bool half = strstr(format, "half") != NULL;

    if (half)
        number = (int)++fuzz_last_half;
    else if (strstr(format, "_job ") != NULL)
        number %= FUZZ_DRIVERS;
    else
        number = strncmp(format, "create", 6) == 0 ? number % 8 : FIRST_PID + number % FUZZ_DRIVERS;
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    put_line(client, line, (size_t)snprintf(line, sizeof(line), format, number),
             half ? (unsigned)number : 0);
}

/* More commands than there are objects for, before any is answered. */
static void
step_flood(int client, int driver)
{
    char lines[4096];
    size_t size = 0;

    for (int i = take_byte(); i > 0; i--)
        size += (size_t)snprintf(lines + size, sizeof(lines) - size, "%s %d\n",
                                 i % 4 ? "get_status" : "fly", FIRST_PID + driver % 4);
    put_line(client, lines, size, 0);
}

/* The number of the request that the driver must answer next, or of its job; or any number. */
static uint32_t
take_id(const struct fuzz_driver *fake, bool of_job)
{
    const struct driver *driver = driver_find(fake->pid);
    uint8_t id = take_byte();

    if (driver == NULL || id % 8 == 0)
        return id / 8;
    return of_job ? driver->job_id : id_after(driver->answered_id);
}

/* A RESULT that may be right. */
static void
step_result(struct fuzz_driver *driver)
{
    struct {
        struct proto_header header;
        struct proto_result result;
    } frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_RESULT, take_id(driver, true)),
        .result.outcome = take_byte() % 8,
        .result.status = take_byte(),
    };

    if (frame.result.outcome == PROTO_CANCELLED || frame.result.outcome == PROTO_TIMED_OUT)
        frame.result.status &= 0x80;
    if (frame.result.outcome == PROTO_UNRUN) {
        frame.result.cause = frame.result.status % 8;
        frame.result.status = frame.result.cause > PROTO_CAUSE_LATE ? frame.result.status / 8 : 0;
    } else {
        frame.result.left = take_byte() % 4;
    }
    put(driver->socket, &frame, sizeof(frame));
}

/* A frame that is well formed, and may even be right. */
static void
step_frame(struct fuzz_driver *driver)
{
    static const enum proto_type types[] = {PROTO_HELLO, PROTO_STATE, PROTO_STATE,
                                            PROTO_END,   PROTO_BEGUN, PROTO_RESULT};
    struct proto_frame frame = {.header.type = 0};
    enum proto_type type = types[take_byte() % 6];

    switch (type) {
    case PROTO_RESULT:
        step_result(driver);
        return;
    case PROTO_HELLO:
        frame.header = proto_header(PROTO_FROM_DRIVER, type, 0);
        frame.hello.pid = (uint32_t)driver->pid;
        break;
    case PROTO_STATE:
        frame.header = proto_header(PROTO_FROM_DRIVER, type, take_id(driver, false));
        frame.state.work = take_byte() % 4;
        frame.state.refusal = take_byte() % 16 < 11 ? PROTO_OK : take_byte() % 5;
        frame.state.remaining_ms = frame.state.work != PROTO_FREE ? 1000 : 0;
        break;
    case PROTO_BEGUN:
        frame.header = proto_header(PROTO_FROM_DRIVER, type, take_id(driver, true));
        frame.begun.pid = 100000 + take_byte();
        break;
    default:
        frame.header = proto_header(PROTO_FROM_DRIVER, PROTO_END, 0);
        frame.end.outcome = take_byte() % 2 ? PROTO_DONE : PROTO_CANCELLED;
        break;
    }
    put(driver->socket, &frame, proto_size(&frame));
}

/* A client connects, leaves, or says that it has said all. */
static void
step_connection(int client)
{
    static const struct ucred peer = {.pid = 1};
    int pair[2];

    switch (take_byte() % 4) {
    case 0:
        shutdown(fuzz_clients[client], SHUT_WR);
        fuzz_ended[client] = true;
        break;
    case 1:
        client_die(client);
        break;
    default:
        client_die(client);
        if (phase_stopping() ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
            break;
        fuzz_clients[client] = pair[0];
        if (!connection_open(pair[1], &peer))
            close(pair[1]);
        break;
    }
}

static void
step(void)
{
    uint8_t choice = take_byte();
    struct fuzz_driver *driver = &fuzz_drivers[choice / 16];
    int client = choice / 16 % FUZZ_CLIENTS;
    struct span bytes;

    switch (choice % 16) {
    case 0:
    case 1:
    case 2:
        step_command(client);
        break;
    case 3:
        if (client > 0)
            step_connection(client);
        else
            step_command(client);
        break;
    case 4:
        bytes = take_bytes(take_byte());
        put_line(client, bytes.at, bytes.size, 0);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        if (fuzz_honest)
            honest_step(driver, take_byte());
        else
            step_frame(driver);
        break;
    case 9:
        bytes = take_bytes(take_byte() % 32);
        if (fuzz_honest)
            honest_step(driver, 1);
        else
            put(driver->socket, bytes.at, bytes.size);
        break;
    case 10: /* the driver closes its socket */
        hang_up(&driver->socket);
        break;
    case 11: /* it dies, and that is seen now */
        if (driver->pid != 0 && !driver->dead)
            fuzz_die(driver, take_byte());
        child_died(driver->pid); /* a hint that may be as good as any */
        break;
    case 12:
        fuzz_pass_ms(take_byte() * 20);
        break;
    case 13: /* it reads what it was sent */
        if (fuzz_honest)
            honest_step(driver, 1);
        else
            drain(driver->socket);
        break;
    case 14: /* the client reads */
        drain(fuzz_clients[client]);
        break;
    case 15:
        if (choice / 16 == 0)
            phase_stop(take_byte() % 2);
        else if (choice / 16 < 8)
            fuzz_failures = take_byte();
        else
            step_flood(client, choice / 16);
        break;
    }
}

#endif

/* A turn that does not wait: something is always ready. */
static void
turn(void)
{
    client_wake(&console);
    loop_turn();
}

static void
fuzz_open(void)
{
    sigset_t none;
    int pair[2];

    fuzz_world_begin();
    honest_world_begin();
    options.driver_path = "/none";
    sigemptyset(&none);
    server_open(&none);
    reaper_open();
    logging.out = (struct stream){.source.fd = -1, .fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    fuzz_clients[0] = pair[0];
    client_init(&console, &format_text);
    progress_open();
    console.in = (struct stream){
        .source = {.fd = pair[1], .ready = console_in_ready}, .fd = pair[1], .kind = STREAM_SOCKET};
    console.out = (struct stream){.source = {.fd = dup(pair[1]), .ready = console_out_ready},
                                  .kind = STREAM_SOCKET};
    console.out.fd = console.out.source.fd;
}

/* Nothing is left in any module. */
static void
check_books(void)
{
    assert(list_empty(&console.requests) && console.owed == 0 && console.jobs == 0);
    assert(buffer_used(&console.output) == 0 && list_empty(&console.held));
    assert(client_first() == NULL && clients_count() == 0 && clients_gone() == 0);
    assert(list_empty(&partings.clients) && deadlines_none(DEADLINE_PARTING));
    assert(calls_awaiting_any() == NULL && list_empty(dispatch_all()));
    assert(fleet_next(NULL) == NULL && fleet_unsent() == NULL && list_empty(fleet_dropped()));
    assert(fleet_idle() == NULL && fleet_engaged() == 0 && fleet_kept_starting() == 0);
    assert(list_empty(&fleet.ended));
    for (int of = 0; of < DRIVER_STATES; of++)
        assert(fleet_count((enum driver_state)of) == 0);
    for (size_t i = 0; i < fleet.table_size; i++)
        assert(fleet.table[i] == NULL);
    for (int kind = 0; kind < DEADLINE_STOP; kind++)
        assert(deadlines_none((enum deadline_kind)kind));
    jobs_forget_ends();
    assert(jobs_count() == 0 && job_texts_bytes() == 0 && slots.full == 0);
    for (size_t i = 0; i < SLOT_WORDS; i++)
        assert(slots.words[i] == 0);
    assert(jobs_all_freed() && pool_is_whole(&call_pool) && pool_is_whole(&clients.pool));
    assert(pool_is_whole(&requests.requests) && pool_is_whole(&requests.texts));
}

static void
drain_all(void)
{
    for (int i = 0; i < FUZZ_CLIENTS; i++)
        drain(fuzz_clients[i]);
}

/* Stops it as two signals would, with a reader that reads to the end. */
static void
fuzz_finish(void)
{
    fuzz_failures = 0;
    phase_stop(false);
    phase_stop(true);
    for (int turns = 0; !server_finished(); turns++) {
        assert(turns < 1000);
        for (size_t i = 0; i < FUZZ_DRIVERS; i++)
            if (fuzz_drivers[i].pid != 0 && !fuzz_drivers[i].dead)
                fuzz_die(&fuzz_drivers[i], 0);
        children_sweep();
        drain_all();
        turn();
    }
    fuzz_pass_ms(2 * RETRY_DELAY_MS);
    for (int turns = 0; turns < 200; turns++) {
        drain_all();
        turn();
        if (turns == 100)
            fuzz_pass_ms(PARTING_MS);
    }
    check_books();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool saved;

    if (!saved)
        state_save();
    saved = true;
    state_restore();
    for (size_t i = 0; i < FUZZ_CLIENTS; i++)
        fuzz_clients[i] = -1;
    memset(fuzz_halves, 0, sizeof(fuzz_halves));
    memset(fuzz_ended, 0, sizeof(fuzz_ended));
    fuzz_last_half = 0;
    fuzz_input = (struct fuzz_input){.at = data, .end = data + size};
#ifndef COMMANDS_ONLY
    uint8_t choice = take_byte();
    options.drivers = choice % 4;
    options.watchdog = "1";
    options.watchdog_ns = choice / 4 % 2 * NS_PER_S;
    fuzz_honest = choice / 8 % 2;
    static char program[] = "a{}", word[] = "{}{}";
    static char *words[] = {program, word, NULL};
    options.each = choice / 16 % 4 == 1 ? words : NULL; /* standard input gives names */
    options.each_ms = 1000;
    options.name_separator = choice / 64 % 2 ? '\0' : '\n';
#endif
    fuzz_open();
    while (fuzz_input.at < fuzz_input.end && !server_finished()) {
        step();
        turn();
    }
    fuzz_finish();
    int in = console.in.fd, out = console.out.fd;
    server_close();
    close(in);
    close(out);
    for (size_t i = 0; i < FUZZ_CLIENTS; i++)
        hang_up(&fuzz_clients[i]);
    return 0;
}

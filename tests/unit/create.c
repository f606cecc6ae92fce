/* lib/create.h: after a driver that failed, those that the same command has started later are ended,
 * and nobody else's. No driver is ever started here. */
#include "lib/create.h"
#include "lib/clients.h"
#include "lib/format.h"
#include "lib/question.h"

#include "check.h"

static struct client client;
static struct driver drivers[8];
static size_t drivers_count;
static pid_t next_pid;

/* What lib/spawn.c does, but for the process. */
struct driver *
driver_new(struct call *birth)
{
    struct driver *driver = &drivers[drivers_count++];

    *driver = (struct driver){.source.fd = -1,
                              .pid = next_pid,
                              .reaped = true,
                              .birth = birth,
                              .birth_failure = OUTCOME_DEAD_BORN,
                              .creator = birth->request};
    driver_init(driver);
    call_set_driver(birth, driver);
    fleet_add(driver);
    return driver;
}

/* Starts a driver with that pid for the request. */
static struct driver *
starts(struct request *request, pid_t pid)
{
    next_pid = pid;
    create_continue(request);
    return &drivers[drivers_count - 1];
}

/* The driver has said HELLO. */
static void
comes_up(struct driver *driver)
{
    struct call *birth = driver->birth;

    CHECK(driver_greet(driver));
    driver->birth = NULL;
    birth->request->starting--;
    call_end(birth, OUTCOME_STATE);
}

/* The driver was reaped; its pid can be given to another process. */
static void
dies(struct driver *driver)
{
    driver_unlist(driver);
    create_failed(driver, 9);
    fleet_remove(driver);
}

static struct request *
create(unsigned count)
{
    struct request *request = request_new(&client);

    request->to_start = count;
    return request;
}

static unsigned
lines(const struct request *request)
{
    unsigned count = 0;

    for (const struct list *link = request->calls.next; link != &request->calls; link = link->next)
        count++;
    return count;
}

static void
test_cut(void)
{
    struct request *request = create(7), *other = create(2);
    struct driver *first = starts(request, 1), *others = starts(other, 2);
    struct driver *failed = starts(request, 3), *up = starts(request, 4);
    struct driver *gone = starts(request, 5), *starting = starts(request, 6);

    comes_up(first);
    comes_up(up);
    comes_up(gone);
    dies(gone);
    struct driver *stranger = starts(other, 5); /* with the pid of the one that is gone */
    comes_up(others);
    comes_up(stranger);
    CHECK(request->starting == 2 && request->to_start == 2);
    dies(failed);
    CHECK(request->starting == 0 && request->to_start == 0);
    CHECK_NUMBER(lines(request), 2);
    CHECK_NUMBER(lines(other), 2);
    const struct call *last = container_of(request->calls.prev, struct call, of_request);
    CHECK(last->pid == 3 && last->outcome == OUTCOME_DEAD_BORN && last->status == 9);
    CHECK(first->state == DRIVER_READY && others->state == DRIVER_READY);
    CHECK(stranger->state == DRIVER_READY && stranger->end == END_UNASKED);
    CHECK(up->end == END_ASKED);
    CHECK(starting->end == END_ASKED && starting->birth == NULL);
}

static void
over(void)
{
}

int
main(void)
{
    CHECK(sources_open() && deadlines_open(over) && fleet_open());
    clients_open();
    CHECK(requests_open() && calls_open());
    client_init(&client, &format_text);
    test_cut();
    return checks_failed();
}

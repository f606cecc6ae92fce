/* lib/clients.h: how much each client may be owed, and which clients get a turn. */
#include "lib/clients.h"
#include "lib/deadline.h"
#include "lib/format.h"
#include "lib/pool.h"

#include "check.h"

static struct client *
first_runnable(void)
{
    struct list *runnable = clients_runnable();

    return list_empty(runnable) ? NULL : container_of(runnable->next, struct client, runnable);
}

/* 128 lines for each driver, but 2048 at least and 16384 at most. */
static void
test_share_of_drivers(void)
{
    CHECK_NUMBER(client_share(), 2048);
    clients_share(16);
    CHECK_NUMBER(client_share(), 2048);
    clients_share(17);
    CHECK_NUMBER(client_share(), 17 * 128);
    clients_share(128);
    CHECK_NUMBER(client_share(), 16384);
    clients_share(100000);
    CHECK_NUMBER(client_share(), 16384);
    clients_share(0);
}

static void
first_ends(void)
{
    struct client *client = client_first();

    client_leave(client);
    client_drop(client);
}

/* The console and the connections share the limit equally; each has 64 at least. */
static void
test_share_of_clients(void)
{
    struct client *client = client_new(&format_text);

    CHECK_NUMBER(clients_count(), 1);
    CHECK_NUMBER(client_share(), 2048 / 2);
    clients_share(128); /* with another number of drivers it is still shared */
    CHECK_NUMBER(client_share(), 16384 / 2);
    clients_share(0);
    while (clients_count() < 31)
        client_new(&format_text);
    CHECK_NUMBER(client_share(), 2048 / 32);
    client_new(&format_text);
    CHECK_NUMBER(client_share(), 64);
    CHECK(client_first() == client);
    client_mark_gone(client);
    client_mark_gone(client);
    CHECK_NUMBER(clients_gone(), 1);
    while (client_first() != NULL)
        first_ends();
    CHECK(clients_count() == 0 && clients_gone() == 0);
    CHECK_NUMBER(client_share(), 2048);
    clients_free_dropped();
    CHECK(client_new(&format_text) != NULL); /* from what was given back */
    first_ends();
    clients_free_dropped();
}

/* Turns are in the order of waking, and waking twice gives one. */
static void
test_turns(void)
{
    client_init(&console, &format_text);
    CHECK(first_runnable() == NULL);
    struct client *client = client_new(&format_text); /* has a turn at once */
    client_wake(&console);
    client_wake(client);
    CHECK(first_runnable() == client);
    list_remove(&client->runnable);
    CHECK(first_runnable() == &console);
    clients_wake();
    list_remove(&console.runnable);
    CHECK(first_runnable() == client);
    list_remove(&client->runnable);
    CHECK(first_runnable() == NULL);
}

/* A client that lacked memory gets a turn when some was given back, and only then. */
static void
test_lacking(void)
{
    pool_freed = false;
    client_lacks_memory(&console);
    client_lacks_memory(&console);
    CHECK(!deadlines_none(DEADLINE_RETRY)); /* or a moment later */
    clients_retry();
    CHECK(first_runnable() == NULL);
    pool_freed = true;
    clients_retry();
    CHECK(first_runnable() == &console && list_empty(&console.lacking) && !pool_freed);
}

static void
over(void)
{
}

int
main(void)
{
    CHECK(sources_open() && deadlines_open(over));
    clients_open();
    test_share_of_drivers();
    test_share_of_clients();
    test_turns();
    test_lacking();
    return checks_failed();
}

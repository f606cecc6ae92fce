#include "clients.h"

#include "deadline.h"
#include "giver.h"
#include "pool.h"

enum {
    /* How many reply lines may be outstanding, for all clients together, before no more commands
     * are read. Each client gets an equal share, but at least the minimum; a client that sends
     * faster than its drivers answer, or does not read, is not read from. Waking a driver costs
     * about as much as a hundred answers, so with many drivers the limit leaves dozens of questions
     * for each; with few drivers it is lower, so that everything in flight fits into the CPU's
     * cache. */
    OWED_PER_DRIVER = 128,
    OWED_MIN = 2048,
    OWED_MAX = 16384,
    OWED_SHARE_MIN = 64,
};

struct client console;

static struct {
    struct list connections; /* clients at the control socket */
    struct list dropped;     /* connections to be freed at the end of the turn */
    struct list runnable;    /* clients that may have something to do */
    struct list lacking;     /* clients for which there was no memory */
    unsigned count;          /* connections */
    unsigned gone;           /* connections whose other end is closed */
    unsigned drivers;        /* drivers that are READY */
    unsigned share;          /* how much a client may be owed */
    struct giver console_giver;
    struct pool pool;
} clients = {
    .pool = {.size = sizeof(struct client), .per_slab = 15},
};

void
clients_open(void)
{
    list_init(&clients.connections);
    list_init(&clients.dropped);
    list_init(&clients.runnable);
    list_init(&clients.lacking);
    clients_share(0);
    giver_init(&clients.console_giver);
    console.giver = &clients.console_giver;
}

void
clients_close(void)
{
    clients_free_dropped();
    pool_free(&clients.pool);
    givers_close();
}

struct client *
client_new(const struct format *format)
{
    struct client *client = pool_get(&clients.pool);
    struct giver *giver = client != NULL ? giver_new() : NULL;

    if (giver == NULL) {
        if (client != NULL)
            pool_put(&clients.pool, client);
        return NULL;
    }
    *client = (struct client){.giver = giver};
    client_init(client, format);
    list_append(&clients.connections, &client->link);
    clients.count++;
    clients_share(clients.drivers);
    client_wake(client); /* in its turn, epoll begins to watch it */
    return client;
}

void
client_leave(struct client *client)
{
    buffer_consume(&client->input, buffer_used(&client->input));
    buffer_consume(&client->output, buffer_used(&client->output));
    list_remove(&client->runnable);
    list_remove(&client->held);
    list_remove(&client->lacking);
    list_remove(&client->link);
    clients.count--;
    clients.gone -= client->output_state == OUTPUT_GONE;
    clients_share(clients.drivers);
}

void
client_drop(struct client *client)
{
    list_remove(&client->link);
    list_append(&clients.dropped, &client->link);
    client->giver->gone = true;
    giver_release(client->giver);
}

void
clients_free_dropped(void)
{
    while (!list_empty(&clients.dropped)) {
        struct list *first = clients.dropped.next;
        list_remove(first);
        pool_put(&clients.pool, container_of(first, struct client, link));
    }
}

struct client *
client_first(void)
{
    if (list_empty(&clients.connections))
        return NULL;
    return container_of(clients.connections.next, struct client, link);
}

unsigned
clients_count(void)
{
    return clients.count;
}

void
client_mark_gone(struct client *client)
{
    clients.gone += client->output_state != OUTPUT_GONE;
    client->output_state = OUTPUT_GONE;
}

unsigned
clients_gone(void)
{
    return clients.gone;
}

void
client_wake(struct client *client)
{
    if (list_empty(&client->runnable))
        list_append(&clients.runnable, &client->runnable);
}

void
clients_wake(void)
{
    client_wake(&console);
    for (struct list *link = clients.connections.next; link != &clients.connections;
         link = link->next)
        client_wake(container_of(link, struct client, link));
}

struct list *
clients_runnable(void)
{
    return &clients.runnable;
}

void
client_lacks_memory(struct client *client)
{
    if (list_empty(&client->lacking))
        list_append(&clients.lacking, &client->lacking);
    retry_later();
}

void
clients_retry(void)
{
    while (pool_freed && !list_empty(&clients.lacking)) {
        struct client *client = container_of(clients.lacking.next, struct client, lacking);
        list_remove(&client->lacking);
        client_wake(client);
    }
    pool_freed = false;
}

unsigned
client_share(void)
{
    return clients.share;
}

void
clients_share(unsigned drivers)
{
    unsigned owed = OWED_PER_DRIVER * drivers;

    clients.drivers = drivers;
    if (owed < OWED_MIN)
        owed = OWED_MIN;
    if (owed > OWED_MAX)
        owed = OWED_MAX;
    clients.share = owed / (clients.count + 1);
    if (clients.share < OWED_SHARE_MIN)
        clients.share = OWED_SHARE_MIN;
}

#include "parting.h"

#include "clients.h"
#include "clock.h"
#include "deadline.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PARTING_MS = 5000,  /* a busy machine takes long to let the other end write */
    STRANGERS_MAX = 16, /* other users, who are refused, can take no more descriptors than this */
};

static struct {
    struct list clients; /* in order of part_by_ns */
    struct deadline deadline;
    unsigned strangers;
    char dropped[16 * 1024]; /* input that nobody will read */
} partings = {
    .clients = {&partings.clients, &partings.clients},
    .deadline.link = {&partings.deadline.link, &partings.deadline.link},
};

static ssize_t
socket_drop_input(int fd)
{
    return recv(fd, partings.dropped, sizeof(partings.dropped), MSG_DONTWAIT);
}

/* After shutdown(2) the other end can send no more, so close(2) will find nothing unread. */
static void
socket_finish(int fd)
{
    shutdown(fd, SHUT_RDWR);
    while (socket_drop_input(fd) > 0)
        ;
}

void
socket_end(int fd)
{
    socket_finish(fd);
    close(fd);
}

static void
parting_end(struct client *client)
{
    socket_finish(client->in.source.fd);
    source_close(&client->in.source);
    partings.strangers -= client->stranger;
    client_drop(client);
    if (list_empty(&partings.clients))
        deadline_stop(&partings.deadline);
}

/* Drops what has come. Ends the parting if the other end is closed, or will send nothing more. */
static void
parting_ready(struct source *source, uint32_t events)
{
    struct client *client = container_of(source, struct client, in.source);
    ssize_t n = socket_drop_input(source->fd);

    (void)events;
    if (n > 0)
        client->more = true;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        parting_end(client);
}

void
client_part(struct client *client)
{
    struct source *source = &client->in.source;

    client_leave(client);
    list_append(&partings.clients, &client->link);
    partings.strangers += client->stranger;
    client->part_by_ns = clock_turn_ns + PARTING_MS * NS_PER_MS;
    client->more = false;
    source->ready = parting_ready;
    shutdown(source->fd, SHUT_WR);
    if (client->output_state == OUTPUT_GONE || partings.strangers > STRANGERS_MAX ||
        !source_watch(source, EPOLLIN)) {
        parting_end(client);
        return;
    }
    if (!deadline_is_set(&partings.deadline))
        deadline_start_for(&partings.deadline, DEADLINE_PARTING, PARTING_MS * NS_PER_MS);
    parting_ready(source, EPOLLIN);
}

static struct client *
parting_first(void)
{
    if (list_empty(&partings.clients))
        return NULL;
    return container_of(partings.clients.next, struct client, link);
}

void
partings_over(void)
{
    struct client *client;

    if (deadline_over(DEADLINE_PARTING) == NULL)
        return;
    deadline_stop(&partings.deadline);
    while ((client = parting_first()) != NULL && client->part_by_ns <= clock_turn_ns)
        parting_end(client);
    if (client != NULL)
        deadline_start_for(&partings.deadline, DEADLINE_PARTING,
                           client->part_by_ns - clock_turn_ns);
}

bool
partings_end(void)
{
    struct client *client = parting_first();
    bool any = client != NULL;

    for (; client != NULL; client = parting_first())
        parting_end(client);
    return any;
}

bool
partings_hold(void)
{
    for (struct list *link = partings.clients.next; link != &partings.clients; link = link->next) {
        const struct client *client = container_of(link, struct client, link);
        if (client->more && !client->stranger)
            return true;
    }
    return false;
}

#include "client.h"

void
client_init(struct client *client, const struct format *format)
{
    list_init(&client->link);
    list_init(&client->requests);
    list_init(&client->runnable);
    list_init(&client->held);
    list_init(&client->lacking);
    list_init(&client->waiting);
    client->starved = true;
    client->format = format;
}

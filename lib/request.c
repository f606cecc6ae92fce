#include "request.h"

#include "pool.h"
#include "stats.h"

enum {
    /* The extra lines that a reply with its own text counts as, since it takes that much memory. */
    TEXT_WEIGHT = 4,
};

static struct {
    struct pool requests, texts;
} requests = {
    .requests = {.size = sizeof(struct request), .per_slab = 60},
    .texts = {.size = TEXT_SIZE, .per_slab = 16},
};

/* Because one slab of each is allocated now, a command that finds no memory can always wait for an
 * earlier command to free some. */
bool
requests_open(void)
{
    return pool_grow(&requests.requests) && pool_grow(&requests.texts);
}

void
requests_close(void)
{
    pool_free(&requests.requests);
    pool_free(&requests.texts);
}

/* Every command comes through here, and setting the fields one by one is faster than clearing the
 * struct. */
struct request *
request_new(struct client *client)
{
    struct request *request = pool_get(&requests.requests);

    if (request == NULL)
        return NULL;
    request->client = client;
    request->format = client->format;
    request->text = NULL;
    request->text_is_own = false;
    request->noun = NULL;
    request->listing = false;
    request->lists_jobs = false;
    request->lines = 0;
    request->to_start = 0;
    request->starting = 0;
    list_init(&request->calls);
    list_append(&client->requests, &request->link);
    client->owed++;
    stats.commands++;
    return request;
}

void
request_free(struct request *request)
{
    list_unlink(&request->link);
    request->client->owed--;
    if (request->text_is_own) {
        request->client->owed -= TEXT_WEIGHT;
        request_text_free((char *)request->text);
    }
    pool_put(&requests.requests, request);
}

void
request_abandon(struct request *request)
{
    stats.commands--;
    request_free(request);
}

char *
request_text(void)
{
    return pool_get(&requests.texts);
}

void
request_text_free(char *text)
{
    pool_put(&requests.texts, text);
}

bool
request_answer(struct client *client, const char *text, size_t size)
{
    struct request *request = request_new(client);

    if (request == NULL)
        return false;
    request->text = text;
    request->text_size = size;
    return true;
}

bool
request_answer_own(struct client *client, char *text, size_t size)
{
    if (!request_answer(client, text, size))
        return false;
    container_of(client->requests.prev, struct request, link)->text_is_own = true;
    client->owed += TEXT_WEIGHT;
    return true;
}

#include "barrier.h"

#include "clients.h"

void
request_wait(struct request *request, struct list *list)
{
    list_append(list, &request->client->waiting);
    request->client->barrier = request;
}

void
call_await_job(struct call *call, struct job *job)
{
    call->ongoing = true;
    list_append(&job->waiters, &call->of_driver);
    call->request->client->barrier = call->request;
}

void
call_leave_barrier(struct call *call)
{
    if (call->request == NULL)
        return;
    struct client *client = call->request->client;
    if (client->barrier != call->request)
        return;
    client->barrier = NULL;
    client_wake(client);
}

struct call *
client_resume(struct client *client)
{
    struct request *request = client->barrier;

    list_remove(&client->waiting);
    client->barrier = NULL;
    client_wake(client);
    return container_of(request->calls.next, struct call, of_request);
}

struct call *
clients_resume_first(struct list *list)
{
    return client_resume(container_of(list->next, struct client, waiting));
}

void
clients_resume(struct list *list, enum outcome outcome)
{
    while (!list_empty(list))
        call_end(clients_resume_first(list), outcome);
}

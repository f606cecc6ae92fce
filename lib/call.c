#include "call.h"

#include "clients.h"
#include "pool.h"

static struct pool call_pool = {.size = sizeof(struct call), .per_slab = 60};

bool
calls_open(void)
{
    return pool_grow(&call_pool);
}

void
calls_close(void)
{
    pool_free(&call_pool);
}

/* Sets the fields one by one, as request_new() does. */
struct call *
call_new(struct request *request, const struct question *question)
{
    struct call *call = pool_get(&call_pool);

    if (call == NULL)
        return NULL;
    call->request = request;
    call->driver = NULL;
    call->question = question;
    call->pid = 0;
    call->ongoing = false;
    call->cancels = false;
    call->runs_job = false;
    call->cancelled_id = 0;
    call->duration_ms = 0;
    call->job = NULL;
    call->outcome = OUTCOME_PENDING;
    call->refusal = PROTO_OK;
    call->remaining_ms = 0;
    list_init(&call->of_driver);
    deadline_init(&call->deadline);
    if (request != NULL) {
        list_append(&request->calls, &call->of_request);
        request->client->owed++;
    }
    return call;
}

static void
call_forget_job(struct call *call)
{
    call->job = NULL;
    if (!call->runs_job)
        return;
    call->runs_job = false;
    call->request->client->jobs--;
    call->request->client->owed += JOB_OWED;
}

void
call_free(struct call *call)
{
    if (call->request != NULL) {
        list_unlink(&call->of_request);
        call->request->client->owed--;
    }
    if (call->job != NULL) {
        job_free(call->job);
        call_forget_job(call);
    }
    pool_put(&call_pool, call);
}

void
call_end(struct call *call, enum outcome outcome)
{
    list_remove(&call->of_driver);
    deadline_stop(&call->deadline);
    call->driver = NULL;
    call->outcome = outcome;
    if (call->job != NULL && call->job->call == call && call->job->state == JOB_RUNNING) {
        call->job->call = NULL;
        call_forget_job(call);
    }
    if (call->request == NULL)
        call_free(call);
    else
        client_wake(call->request->client);
}

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

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

/* lib/request.h, call.h and barrier.h: what a client is owed, and that the books balance. */
#include "lib/barrier.h"
#include "lib/clients.h"
#include "lib/giver.h"
#include "lib/job_life.h"
#include "lib/slot.h"
#include "lib/stats.h"

#include "check.h"

#include "lib/format.h"

static struct client client;

/* Everything that the client was owed is settled. */
static void
check_settled(int line)
{
    check_number(client.owed, 0, __FILE__, line);
    check_number(client.jobs, 0, __FILE__, line);
    check_true(list_empty(&client.requests), "no request is left", __FILE__, line);
    jobs_forget_ends();
    check_true(jobs_all_freed(), "no job is left", __FILE__, line);
}

/* A job that waits is its call's, and counts for its client in place of the lines. */
static void
test_calls(void)
{
    struct span command = SPAN("sleep 5");
    struct request *request = request_new(&client);
    struct call *call = call_new(request, NULL), *other = call_new(request, NULL);

    CHECK(request->client == &client && request->format == client.format);
    CHECK_NUMBER(client.owed, 3);
    CHECK(call->outcome == OUTCOME_PENDING && call->driver == NULL && call->job == NULL);
    job_take(call, job_new(&command, 5000));
    CHECK(client.jobs == 1 && client.gave_jobs);
    CHECK_NUMBER(client.owed, 1);
    CHECK(!jobs_all_freed());
    CHECK(call->job->number == 1 && call->job->call == call && !call->job->batch);
    CHECK_BYTES(call->job->text->bytes, call->job->text->size, "sleep 5");
    call_free(call);
    jobs_forget_ends();
    CHECK(client.owed == 2 && client.jobs == 0 && jobs_all_freed());
    call_free(other);
    request_free(request);
    check_settled(__LINE__);
}

/* A job that runs goes on without its call, and is freed when it ends. */
static void
test_job_goes_on(void)
{
    struct span command = SPAN("true");
    struct request *request = request_new(&client);
    struct call *call = call_new(request, NULL);
    struct job *job = job_new(&command, 1);
    struct job_result result = {.ending = JOB_EXIT};

    job_take(call, job);
    job->state = JOB_RUNNING;
    call_end(call, OUTCOME_STOPPING);
    list_remove(&client.runnable);
    CHECK(call->job == NULL && job->call == NULL && client.jobs == 0 && client.owed == 2);
    call_free(call);
    request_free(request);
    CHECK(client.owed == 0 && !jobs_all_freed());
    job_end(job, &result);
    check_settled(__LINE__);
}

/* A job that is Done is its call's again, until the reply is written. */
static void
test_job_done(void)
{
    struct span command = SPAN("true");
    struct request *request = request_new(&client);
    struct call *call = call_new(request, NULL);
    struct job *job = job_new(&command, 1);

    job_take(call, job);
    job->slot = slot_take();
    job_unrun(job, REASON_STOPPING, 0);
    CHECK(call->outcome == OUTCOME_DONE && call->job == job && job->state == JOB_DONE);
    CHECK(job->slot == 0 && job->result.ending == JOB_UNRUN);
    CHECK(!list_empty(&client.runnable) && client.jobs == 1);
    list_remove(&client.runnable);
    call_free(call);
    request_free(request);
    check_settled(__LINE__);
}

/* A reply with a text of its own counts for more than one that stays. */
static void
test_texts(void)
{
    char *text = request_text();

    stats.commands = 0;
    CHECK(request_answer(&client, "stays", 5));
    CHECK_NUMBER(client.owed, 1);
    CHECK(request_answer_own(&client, text, 3));
    CHECK(client.owed > 2);
    CHECK_NUMBER(stats.commands, 2);
    request_free(container_of(client.requests.prev, struct request, link));
    CHECK_NUMBER(client.owed, 1);
    request_abandon(container_of(client.requests.prev, struct request, link));
    CHECK_NUMBER(stats.commands, 1);
    check_settled(__LINE__);
    CHECK(request_text() == text); /* it was given back */
    request_text_free(text);
}

/* A wait holds back the client, and its end lets it go on. */
static void
test_waits(void)
{
    struct list waiting;
    struct request *request = request_new(&client);
    struct call *call = call_new(request, NULL);

    list_init(&waiting);
    request_wait(request, &waiting);
    CHECK(client.barrier == request && !list_empty(&waiting));
    CHECK(list_empty(&client.runnable));
    CHECK(clients_resume_first(&waiting) == call && call->outcome == OUTCOME_PENDING);
    CHECK(client.barrier == NULL && list_empty(&waiting) && !list_empty(&client.runnable));
    list_remove(&client.runnable);
    request_wait(request, &waiting);
    clients_resume(&waiting, OUTCOME_STOPPING);
    CHECK(client.barrier == NULL && list_empty(&waiting) && call->outcome == OUTCOME_STOPPING);
    clients_resume(&waiting, OUTCOME_STOPPING); /* nobody waits */
    list_remove(&client.runnable);
    call_free(call);
    request_free(request);
    check_settled(__LINE__);
}

/* A call that nobody waits for is freed by its end, and nobody is owed it. */
static void
test_unasked(void)
{
    struct call *call = call_new(NULL, NULL);

    CHECK_NUMBER(client.owed, 0);
    deadline_set(DEADLINE_REPLY, 1);
    deadline_start(&call->deadline, DEADLINE_REPLY);
    call_end(call, OUTCOME_DIED);
    CHECK(deadlines_none(DEADLINE_REPLY) && list_empty(&client.runnable));
    CHECK(call_new(NULL, NULL) == call);
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
    CHECK(requests_open() && calls_open());
    client_init(&client, &format_text);
    client.giver = giver_new();
    test_calls();
    test_job_goes_on();
    test_job_done();
    test_texts();
    test_waits();
    test_unasked();
    return checks_failed();
}

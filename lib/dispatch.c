#include "dispatch.h"

#include "answer.h"
#include "awaiting.h"
#include "barrier.h"
#include "clients.h"
#include "giver.h"
#include "job_life.h"
#include "keeper.h"
#include "options.h"
#include "stats.h"

static struct {
    struct list all; /* clients that wait until no driver has a task or job */
    struct list own; /* clients that wait until they have no task or job left */
} dispatch;

void
dispatch_open(void)
{
    list_init(&dispatch.all);
    list_init(&dispatch.own);
}

struct list *
dispatch_all(void)
{
    return &dispatch.all;
}

struct list *
dispatch_own(void)
{
    return &dispatch.own;
}

/* No driver will ever take the call. */
static void
call_end_driverless(struct call *call, enum outcome outcome, enum job_reason reason)
{
    call_leave_barrier(call);
    if (call->job != NULL)
        job_unrun(call->job, reason, 0);
    else
        call_end(call, outcome);
}

void
call_assign(struct call *call, struct driver *driver)
{
    if (call->job == NULL || job_assign(call->job, driver))
        driver_call(driver, call);
    else
        job_unrun(call->job, REASON_LOG, 0);
}

/* Cancels the jobs of these calls, if they belong to the batch: such a job ends, or does not
 * begin. */
static void
calls_cancel(struct list *calls)
{
    for (struct list *link = calls->next; link != calls; link = link->next) {
        struct call *call = container_of(link, struct call, of_driver);
        if (call->job != NULL && call->job->batch)
            call->job->cancelled = true;
    }
}

/* Cancels the jobs of the batch that drivers have, or that wait to be sent or taken. */
static void
batch_cancel(void)
{
    struct driver *driver = NULL;

    while ((driver = fleet_next(driver)) != NULL) {
        calls_cancel(&driver->queued);
        calls_cancel(&driver->in_flight);
        if (driver->job == NULL || !driver->job->batch)
            continue;
        driver_revoke(driver, driver->job_id);
        job_end_soon(driver);
    }
}

/* If the call has a job of the halted batch, the job ends as unrun. */
static void
call_halt(struct call *call)
{
    if (call->job == NULL || !job_is_halted(call->job))
        return;
    call_leave_barrier(call);
    job_unrun_halted(call->job);
}

/* Whether every task and job that has begun is over. A job can outlive its driver for a moment. */
static bool
nothing_goes_on(void)
{
    return fleet_engaged() == 0 && stats.jobs_begun == 0;
}

/* Whether no more commands will come. */
static bool
commands_have_ended(void)
{
    return !options_serve_others() && console.input_state != INPUT_OPEN;
}

/* Returns the call of the console's command that holds back the later ones; or NULL, also with a
 * control socket, since others can then still give commands. */
static struct call *
console_call(void)
{
    struct request *request = options_serve_others() ? NULL : console.barrier;

    if (request == NULL || list_empty(&request->calls))
        return NULL;
    struct call *call = container_of(request->calls.next, struct call, of_request);
    return call->outcome == OUTCOME_PENDING ? call : NULL;
}

/* Whether the call waits for the end of a job: of a wait_job or cancel_job. */
static bool
call_awaits_job(const struct call *call)
{
    return call->ongoing && call->driver == NULL;
}

/* Whether nobody can create a driver for submitted jobs: no command will come, or only after a
 * command that waits for these jobs. While a task or job goes on, that command may be waiting for
 * its end instead; and while the server is paused, a wait does not wait for these jobs. */
static bool
nobody_creates(void)
{
    const struct call *call = console_call();
    bool waits = !list_empty(&console.waiting) && !calls_paused();

    return commands_have_ended() ||
           (call != NULL && nothing_goes_on() && (waits || call_awaits_job(call)));
}

/* Whether nobody can resume the server: no command will come, or only after a command that waits
 * for a driver, or for a job that has not begun. */
static bool
nobody_resumes(void)
{
    const struct call *call = console_call();

    return commands_have_ended() ||
           (call != NULL && nothing_goes_on() && (call_awaits_any(call) || call_awaits_job(call)));
}

/* There is no driver, and none is coming. A job that was submitted waits as long as somebody may
 * create one. */
static void
call_find_no_driver(struct call *call)
{
    if (call->request != NULL || nobody_creates())
        call_end_driverless(call, OUTCOME_NO_DRIVER, REASON_NO_DRIVER);
}

void
calls_assign(void)
{
    struct driver *driver;
    struct call *call;

    if (batch_has_halted()) {
        calls_awaiting_each(call_halt);
        if (options.halt == HALT_NOW)
            batch_cancel();
    }
    if (nobody_resumes())
        calls_pause(false);
    while (!calls_paused() && (call = calls_awaiting_any()) != NULL &&
           (driver = fleet_idle()) != NULL) {
        call_take_turn(call);
        call_leave_barrier(call);
        call_assign(call, driver);
    }
    /* A hundred thousand jobs may go on waiting, so they are not searched each time. */
    if (fleet_next(NULL) == NULL && !keeper_is_trying() && (nobody_creates() || calls_asked_anew()))
        calls_awaiting_each(call_find_no_driver);
}

/* A wait is over: its reply is "N drivers". */
static void
wait_over(struct client *client)
{
    struct call *call = client_resume(client);

    call->request->noun = "driver";
    call->request->lines = fleet_count(DRIVER_READY);
    call_free(call);
}

/* Whether the client has no task and no job left. What it gave before the wait is answered when the
 * wait is the first of its requests; after that only tasks and submitted jobs go on. */
static bool
client_has_none_left(const struct client *client)
{
    const struct giver *giver = client->giver;

    return client->requests.next == &client->barrier->link && giver->tasks == 0 &&
           (calls_paused() ? giver->begun : giver->jobs) == 0;
}

void
waits_end(void)
{
    struct list *next;

    while (nothing_goes_on() && (calls_paused() || calls_awaiting_any() == NULL) &&
           !list_empty(&dispatch.all))
        wait_over(container_of(dispatch.all.next, struct client, waiting));
    for (struct list *link = dispatch.own.next; link != &dispatch.own; link = next) {
        struct client *client = container_of(link, struct client, waiting);
        next = link->next;
        if (client_has_none_left(client))
            wait_over(client);
    }
}

void
dispatch_stop(void)
{
    struct driver *driver = NULL;
    struct call *call;

    while ((driver = fleet_next(driver)) != NULL)
        clients_resume(&driver->awaited, OUTCOME_STOPPING);
    while ((call = calls_awaiting_any()) != NULL)
        call_end_driverless(call, OUTCOME_STOPPING, REASON_STOPPING);
    clients_resume(&dispatch.all, OUTCOME_STOPPING);
    clients_resume(&dispatch.own, OUTCOME_STOPPING);
}

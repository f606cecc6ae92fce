#include "dispatch.h"

#include "channel.h"
#include "job_life.h"
#include "keeper.h"

static struct {
    struct list all; /* clients that wait until no driver has a task or job */
} dispatch;

void
dispatch_open(void)
{
    list_init(&dispatch.all);
}

struct list *
dispatch_all(void)
{
    return &dispatch.all;
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
    if (call->job != NULL && client_halted(call->request->client) != NULL)
        job_unrun_halted(call->job);
    else if (call->job == NULL || job_assign(call->job, driver))
        driver_call(driver, call);
    else
        job_unrun(call->job, REASON_LOG, 0);
}

/* Cancels the jobs of the batch that run. */
static void
batch_cancel(void)
{
    struct driver *driver = NULL;

    while ((driver = fleet_next(driver)) != NULL)
        if (driver->job != NULL && driver->job->batch)
            driver_revoke(driver, driver->job_id);
}

void
tasks_assign(void)
{
    struct driver *driver;
    struct call *call;

    if (batch_must_end())
        batch_cancel();
    while ((call = calls_awaiting_any()) != NULL && (driver = fleet_idle()) != NULL) {
        list_remove(&call->of_driver);
        call_leave_barrier(call);
        call_assign(call, driver);
    }
    if (fleet_next(NULL) == NULL && !keeper_is_trying())
        while ((call = calls_awaiting_any()) != NULL)
            call_end_driverless(call, OUTCOME_NO_DRIVER, REASON_NO_DRIVER);
}

void
waits_end(void)
{
    while (fleet_engaged() == 0 && calls_awaiting_any() == NULL && !list_empty(&dispatch.all)) {
        struct call *call = clients_resume_first(&dispatch.all);
        call->request->counted = true;
        call->request->lines = fleet_count(DRIVER_READY);
        call_free(call);
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
}

#include "dispatch.h"

#include "keeper.h"

static struct {
    struct list any; /* clients with a task or job for any driver, in order of arrival */
    struct list all; /* clients that wait until no driver has a task or job */
} dispatch;

void
dispatch_open(void)
{
    list_init(&dispatch.any);
    list_init(&dispatch.all);
}

struct list *
dispatch_any(void)
{
    return &dispatch.any;
}

struct list *
dispatch_all(void)
{
    return &dispatch.all;
}

void
tasks_assign(void)
{
    struct driver *driver;

    while (!list_empty(&dispatch.any) && (driver = fleet_idle()) != NULL)
        driver_call(driver, clients_resume_first(&dispatch.any));
    if (fleet_next(NULL) == NULL && !keeper_is_trying())
        clients_resume(&dispatch.any, OUTCOME_NO_DRIVER);
}

void
waits_end(void)
{
    while (fleet_engaged() == 0 && !list_empty(&dispatch.all)) {
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

    while ((driver = fleet_next(driver)) != NULL)
        clients_resume(&driver->awaited, OUTCOME_STOPPING);
    clients_resume(&dispatch.any, OUTCOME_STOPPING);
    clients_resume(&dispatch.all, OUTCOME_STOPPING);
}

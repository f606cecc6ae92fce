#include "create.h"

#include "clients.h"
#include "phase.h"
#include "spawn.h"

#include <errno.h>

bool
create_continue(struct request *request)
{
    if (request->to_start == 0)
        return false;
    if ((request->starting >= STARTING_MAX || request->client->owed >= client_share()) &&
        !phase_stopping())
        return false; /* until a driver has said HELLO, or a line is written */
    struct call *call = call_new(request, NULL);
    if (call == NULL) {
        client_lacks_memory(request->client);
        return false;
    }
    request->to_start--;
    if (phase_stopping()) {
        request->to_start = 0;
        call_end(call, OUTCOME_STOPPING);
    } else if (driver_new(call) != NULL) {
        request->starting++;
    } else {
        request->to_start = 0;
        call->error = errno;
        call_end(call, OUTCOME_NOT_BORN);
    }
    return request->to_start > 0;
}

/*
 * An Error must be the last line of a create_driver, except for the count. So no more drivers are
 * started for it, and drivers that were started after the failed one are ended. The pids in their
 * calls do not find them, because some may be gone and their pids may belong to drivers of other
 * commands. But driver.creator does: drivers younger than the failed one were started while this
 * request existed, so an earlier request in the same memory is not mistaken for it.
 */
static void
create_cut(const struct driver *failed, const struct call *birth)
{
    struct request *request = birth->request;

    request->to_start = 0;
    for (struct driver *driver = fleet_next(failed); driver != NULL; driver = fleet_next(driver)) {
        if (driver->creator != request)
            continue;
        request->starting -= driver->birth != NULL;
        driver->birth = NULL;
        driver_dismiss(driver);
    }
    while (request->calls.prev != &birth->of_request)
        call_free(container_of(request->calls.prev, struct call, of_request));
}

void
create_failed(struct driver *driver, int status)
{
    struct call *birth = driver->birth;

    if (birth == NULL)
        return;
    driver->birth = NULL;
    birth->request->starting--;
    create_cut(driver, birth);
    birth->status = status;
    call_end(birth, phase_stopping() ? OUTCOME_STOPPING : driver->birth_failure);
}

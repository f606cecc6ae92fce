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

/* Ends a driver that was started after one that failed. Its client gets no line for it. */
static void
create_undo(struct call *call)
{
    struct driver *driver = driver_find(call->pid);

    if (call->outcome == OUTCOME_PENDING) {
        driver->birth = NULL;
        call->request->starting--;
    }
    if (driver != NULL)
        driver_dismiss(driver);
    call_free(call);
}

/* An Error must be the last line of a create_driver, except for the count. So no more drivers are
 * started for it, and drivers that were started after the failed one are ended. */
static void
create_cut(struct call *failed)
{
    struct request *request = failed->request;

    request->to_start = 0;
    while (request->calls.prev != &failed->of_request)
        create_undo(container_of(request->calls.prev, struct call, of_request));
}

void
create_failed(struct driver *driver, int status)
{
    struct call *birth = driver->birth;

    if (birth == NULL)
        return;
    driver->birth = NULL;
    birth->request->starting--;
    create_cut(birth);
    birth->status = status;
    call_end(birth, phase_stopping() ? OUTCOME_STOPPING : driver->birth_failure);
}

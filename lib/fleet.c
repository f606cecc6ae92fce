#include "fleet.h"

#include "awaiting.h"
#include "barrier.h"
#include "clients.h"
#include "clock.h"
#include "log.h"
#include "memory.h"
#include "question.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TABLE_SIZE_MIN = 64,
};

static struct {
    struct list drivers; /* all drivers, oldest first */
    struct list dropped; /* drivers that are reaped, and will be freed */
    struct list unsent;  /* drivers that may have something to send */
    struct list ended;   /* drivers whose socket has ended and that are not reaped yet */
    struct list doomed;  /* these, and drivers that were killed */
    struct list idle;    /* drivers that can take a task, the one Available longest first */
    bool siblings;       /* see fleet_note_siblings() */
    bool ended_changed;  /* a driver was added to ended, or a child has died */
    unsigned counts[DRIVER_STATES];
    unsigned engaged;       /* READY drivers that are busy or have a task or job due */
    unsigned kept_starting; /* kept drivers that have not said HELLO yet */
    struct driver **table;  /* a hash table by pid, of table_size chains, a power of two */
    size_t table_size;
} fleet;

bool
fleet_open(void)
{
    list_init(&fleet.drivers);
    list_init(&fleet.dropped);
    list_init(&fleet.unsent);
    list_init(&fleet.ended);
    list_init(&fleet.doomed);
    list_init(&fleet.idle);
    awaiting_open();
    fleet.table_size = TABLE_SIZE_MIN;
    fleet.table = calloc(fleet.table_size, sizeof(struct driver *));
    return fleet.table != NULL;
}

void
fleet_close(void)
{
    struct driver *driver;

    while ((driver = fleet_next(NULL)) != NULL) { /* it could not be reaped */
        driver_close(driver);
        fleet_remove(driver);
    }
    drivers_free_dropped(true);
    free(fleet.table);
}

void
driver_init(struct driver *driver)
{
    list_init(&driver->unsent);
    list_init(&driver->ended);
    list_init(&driver->doomed);
    list_init(&driver->queued);
    list_init(&driver->in_flight);
    list_init(&driver->ongoing);
    list_init(&driver->held);
    list_init(&driver->idle);
    list_init(&driver->awaited);
    deadline_init(&driver->deadline);
    deadline_init(&driver->job_deadline);
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct driver **
table_chain(pid_t pid)
{
    return &fleet.table[(size_t)pid & (fleet.table_size - 1)];
}

static void
table_add(struct driver *driver)
{
    struct driver **chain = table_chain(driver->pid);

    driver->next_hash = *chain;
    *chain = driver;
}

static void
table_remove(struct driver *driver)
{
    struct driver **at = table_chain(driver->pid);

    while (*at != driver)
        at = &(*at)->next_hash;
    *at = driver->next_hash;
}

/* Gives the table that many chains, and a new place to each driver. If there is no memory, the
 * table stays as it is. */
static void
table_resize(size_t size)
{
    struct driver **old = fleet.table, **table = calloc(size, sizeof(*table));
    size_t old_size = fleet.table_size;

    if (table == NULL)
        return;
    fleet.table = table;
    fleet.table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct driver *driver = old[i];
            old[i] = driver->next_hash;
            table_add(driver);
        }
    }
    free(old);
}

/* Doubles the table when there are as many drivers as chains, and halves it when there are an
 * eighth as many. The kernel assigns pids in sequence, so their low bits are a good hash. */
static void
table_fit(void)
{
    size_t drivers =
        fleet.counts[DRIVER_STARTING] + fleet.counts[DRIVER_READY] + fleet.counts[DRIVER_STOPPING];

    if (drivers >= fleet.table_size)
        table_resize(fleet.table_size * 2);
    else if (drivers < fleet.table_size / 8 && fleet.table_size > TABLE_SIZE_MIN)
        table_resize(fleet.table_size / 2);
}

struct driver *
driver_find(pid_t pid)
{
    struct driver *driver = *table_chain(pid);

    while (driver != NULL && driver->pid != pid)
        driver = driver->next_hash;
    return driver;
}

/* ---- lists and counts ------------------------------------------------------------------------ */

void
fleet_add(struct driver *driver)
{
    table_fit();
    table_add(driver);
    list_append(&fleet.drivers, &driver->by_age);
    fleet.counts[DRIVER_STARTING]++;
    deadline_start(&driver->deadline, DEADLINE_START);
}

void
fleet_remove(struct driver *driver)
{
    deadline_stop(&driver->deadline);
    deadline_stop(&driver->job_deadline);
    list_remove(&driver->ended);
    list_remove(&driver->doomed);
    driver_task_over(driver);
    table_remove(driver);
    fleet.counts[driver->state]--;
    table_fit();
    fleet.kept_starting -= driver->kept && !driver->said_hello;
    list_remove(&driver->by_age);
    list_append(&fleet.dropped, &driver->by_age);
}

/* Keeps a dropped driver, unless all is set, while it may have orphans that can be recognized only
 * by its job's session, and until its job is Done, see lib/reaper.c. */
void
drivers_free_dropped(bool all)
{
    struct list *next;

    for (struct list *link = fleet.dropped.next; link != &fleet.dropped; link = next) {
        struct driver *driver = container_of(link, struct driver, by_age);
        next = link->next;
        if ((driver->left_orphans || driver->job != NULL) && !all)
            continue;
        list_unlink(&driver->by_age);
        free(driver);
        memory_note_freed(sizeof(*driver));
    }
}

struct driver *
fleet_next(const struct driver *driver)
{
    struct list *next = driver != NULL ? driver->by_age.next : fleet.drivers.next;

    return next != &fleet.drivers ? container_of(next, struct driver, by_age) : NULL;
}

unsigned
fleet_count(enum driver_state state)
{
    return fleet.counts[state];
}

unsigned
fleet_engaged(void)
{
    return fleet.engaged;
}

unsigned
fleet_kept_starting(void)
{
    return fleet.kept_starting;
}

void
fleet_note_siblings(void)
{
    fleet.siblings = true;
}

bool
fleet_has_siblings(void)
{
    return fleet.siblings;
}

struct driver *
fleet_idle(void)
{
    return list_empty(&fleet.idle) ? NULL : container_of(fleet.idle.next, struct driver, idle);
}

struct driver *
fleet_unsent(void)
{
    return list_empty(&fleet.unsent) ? NULL
                                     : container_of(fleet.unsent.next, struct driver, unsent);
}

struct list *
fleet_dropped(void)
{
    return &fleet.dropped;
}

struct list *
fleet_doomed(void)
{
    return &fleet.doomed;
}

void
fleet_look_at_ended(void)
{
    fleet.ended_changed = true;
}

struct list *
fleet_ended(void)
{
    bool changed = fleet.ended_changed;

    fleet.ended_changed = false;
    return changed ? &fleet.ended : NULL;
}

/* ---- a driver's life ------------------------------------------------------------------------- */

static void
driver_set_state(struct driver *driver, enum driver_state state)
{
    fleet.counts[driver->state]--;
    fleet.counts[state]++;
    driver->state = state;
    clients_share(fleet.counts[DRIVER_READY]);
}

void
driver_keep(struct driver *driver)
{
    driver->kept = true;
    fleet.kept_starting++;
}

bool
driver_greet(struct driver *driver)
{
    driver->said_hello = true;
    fleet.kept_starting -= driver->kept;
    if (driver->state != DRIVER_STARTING)
        return false;
    deadline_stop(&driver->deadline);
    driver_set_state(driver, DRIVER_READY);
    driver_changed(driver);
    return true;
}

void
driver_unlist(struct driver *driver)
{
    if (driver->state == DRIVER_STOPPING)
        return;
    driver_set_state(driver, DRIVER_STOPPING);
    deadline_start(&driver->deadline, DEADLINE_EXIT);
    driver_release(driver);
    driver_changed(driver);
}

/* The driver will now be asked to end, or be killed: notes what is known of its job's first
 * process. If the driver was asked before and the process has ended since, the driver may have
 * ended it: that says nothing. A driver that is killed may have a job that we do not know of yet,
 * and cannot report the pid any more. */
static void
driver_look_at_job(struct driver *driver, bool kills)
{
    pid_t pid = driver->job_pid;

    if (driver->reaped || driver->killed || (driver->job == NULL && driver->jobs_due == 0))
        return;
    if (driver->job == NULL)
        driver->first = FIRST_UNKNOWN;
    enum first first = first_look(driver->pid, &pid);
    if (driver->first == FIRST_UNKNOWN && (first == FIRST_RAN_ON || driver->end < END_ASKED))
        driver->first = first;
    if (!kills || pid == driver->job_pid)
        return;
    driver->job_pid = pid;
    if (driver->job != NULL)
        first_log(driver->job, pid);
}

void
driver_dismiss(struct driver *driver)
{
    driver_look_at_job(driver, false);
    driver_unlist(driver);
    if (driver->end < END_ASKED)
        driver->end = END_ASKED;
    driver_send_later(driver);
}

static void
driver_note_end(struct driver *driver)
{
    if (driver->ended_ns != 0)
        return;
    driver->ended_ns = clock_turn_ns;
    list_append(&fleet.doomed, &driver->doomed);
}

void
driver_close(struct driver *driver)
{
    if (driver->source.fd < 0)
        return;
    source_close(&driver->source);
    driver_note_end(driver);
    list_remove(&driver->unsent);
    list_append(&fleet.ended, &driver->ended);
    fleet.ended_changed = true;
}

/* Once a driver is reaped, its pid may belong to another process. */
void
driver_kill(struct driver *driver)
{
    bool first = !driver->killed;

    driver_look_at_job(driver, true);
    driver->killed = true;
    driver_note_end(driver);
    if (!driver->reaped && kill(driver->pid, SIGKILL) < 0 && first)
        log_line("driver %d: cannot kill it: %s", driver->pid, strerror(errno));
}

void
driver_condemn(struct driver *driver, const char *format, ...)
{
    char why[128];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    driver_kill(driver);
    log_line("driver %d: %s: killed", driver->pid, why);
    driver->unheard |= driver->source.fd >= 0;
    driver_close(driver);
    driver_unlist(driver);
    if (driver->end < END_CONDEMNED)
        driver->end = END_CONDEMNED;
}

void
driver_changed(struct driver *driver)
{
    bool listed = driver->state == DRIVER_READY;
    bool engaged = listed && (driver->work != PROTO_FREE || driver->work_due > 0);
    bool idle = listed && !engaged && !driver->unresponsive;

    fleet.engaged += (unsigned)engaged - (unsigned)driver->engaged;
    driver->engaged = engaged;
    if (!idle)
        list_remove(&driver->idle);
    else if (list_empty(&driver->idle))
        list_append(&fleet.idle, &driver->idle);
    if (listed && !engaged)
        clients_resume(&driver->awaited, driver->unresponsive ? OUTCOME_TIMEOUT : OUTCOME_STATE);
}

/* ---- its calls ------------------------------------------------------------------------------- */

void
driver_send_later(struct driver *driver)
{
    if (driver->source.fd >= 0 && list_empty(&driver->unsent))
        list_append(&fleet.unsent, &driver->unsent);
}

void
driver_release(struct driver *driver)
{
    while (!list_empty(&driver->held)) {
        struct client *client = container_of(driver->held.next, struct client, held);
        list_remove(&client->held);
        client_wake(client);
    }
}

/* Counts the task or job of a call that the driver must still answer (change 1), or need not answer
 * any more (-1). */
static void
driver_call_due(struct driver *driver, const struct call *call, int change)
{
    if (!call->question->makes_busy)
        return;
    driver->work_due += (unsigned)change;
    driver->jobs_due += call->question->is_job ? (unsigned)change : 0;
    driver_changed(driver);
}

void
call_set_driver(struct call *call, struct driver *driver)
{
    call->driver = driver;
    call->pid = driver->pid;
    call->pid_text = driver->pid_text;
}

void
driver_call(struct driver *driver, struct call *call)
{
    call_set_driver(call, driver);
    list_append(&driver->queued, &call->of_driver);
    driver->queued_count++;
    driver_send_later(driver);
    driver_call_due(driver, call, 1);
}

/* The driver owes the call no answer any more. */
static void
driver_call_settle(struct driver *driver, struct call *call)
{
    if (!call->ongoing)
        driver_call_due(driver, call, -1);
    call->ongoing = false;
}

void
driver_call_leave(struct driver *driver, struct call *call)
{
    driver_call_settle(driver, call);
    deadline_stop(&call->deadline);
    list_remove(&call->of_driver);
    call->driver = NULL;
}

void
driver_call_end(struct driver *driver, struct call *call, enum outcome outcome)
{
    driver_call_settle(driver, call);
    call_end(call, outcome);
}

/* If the client is gone, or does not wait for the job, the job goes on without the call. */
void
driver_call_goes_on(struct driver *driver, struct call *call)
{
    if (call->request == NULL || call->request->client->output_state == OUTPUT_GONE) {
        driver_call_end(driver, call, OUTCOME_STOPPING);
        return;
    }
    list_remove(&call->of_driver);
    deadline_stop(&call->deadline);
    list_append(&driver->ongoing, &call->of_driver);
    call->ongoing = true;
    driver_call_due(driver, call, -1);
}

void
driver_task_begin(struct driver *driver, const struct call *call)
{
    driver_task_over(driver);
    driver->task_giver = call_giver(call);
    driver->task_giver->tasks++;
}

void
driver_task_over(struct driver *driver)
{
    struct giver *giver = driver->task_giver;

    if (giver == NULL)
        return;
    driver->task_giver = NULL;
    giver->tasks--;
    giver_release(giver);
}

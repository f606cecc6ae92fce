#include "awaiting.h"

#include "client.h"

static struct list turns; /* givers with calls that wait, in the order of their turns */
static bool asked_anew;   /* see calls_asked_anew() */
static bool paused;       /* see calls_pause() */

void
awaiting_open(void)
{
    list_init(&turns);
}

struct giver *
call_giver(const struct call *call)
{
    return call->request != NULL ? call->request->client->giver : call->job->giver;
}

void
call_await_any(struct call *call)
{
    struct giver *giver = call_giver(call);

    asked_anew |= call->request != NULL;
    list_append(&giver->calls, &call->of_driver);
    if (list_empty(&giver->turn))
        list_append(&turns, &giver->turn);
}

void
call_await_first(struct call *call)
{
    struct giver *giver = call_giver(call);

    asked_anew |= call->request != NULL;
    list_append(giver->calls.next, &call->of_driver);
    list_remove(&giver->turn);
    list_append(turns.next, &giver->turn);
}

bool
calls_asked_anew(void)
{
    bool anew = asked_anew;

    asked_anew = false;
    return anew;
}

void
calls_pause(bool pause)
{
    paused = pause;
}

bool
calls_paused(void)
{
    return paused;
}

void
calls_awaiting_each(void (*visit)(struct call *))
{
    struct list *next_giver, *next;

    for (struct list *of = turns.next; of != &turns; of = next_giver) {
        struct giver *giver = container_of(of, struct giver, turn);
        giver->tasks++; /* so that it stays until we have left it */
        for (struct list *link = giver->calls.next; link != &giver->calls; link = next) {
            next = link->next;
            visit(container_of(link, struct call, of_driver));
        }
        next_giver = of->next;
        giver->tasks--;
        giver_release(giver);
    }
}

void
call_take_turn(struct call *call)
{
    struct giver *giver = call_giver(call);

    list_remove(&call->of_driver);
    list_remove(&giver->turn);
    if (!list_empty(&giver->calls))
        list_append(&turns, &giver->turn);
}

struct call *
calls_awaiting_any(void)
{
    while (!list_empty(&turns)) {
        struct giver *giver = container_of(turns.next, struct giver, turn);
        if (!list_empty(&giver->calls))
            return container_of(giver->calls.next, struct call, of_driver);
        list_remove(&giver->turn); /* its calls have ended otherwise */
    }
    return NULL;
}

bool
call_awaits_any(const struct call *call)
{
    return call->outcome == OUTCOME_PENDING && call->driver == NULL &&
           !list_empty(&call->of_driver);
}

/*
 * jobs.h: jobs for the driver of driver.h, and what it says of them.
 */
#ifndef TEST_JOBS_H
#define TEST_JOBS_H

#include "lib/answer.h"
#include "lib/awaiting.h"
#include "lib/clients.h"
#include "lib/clock.h"
#include "lib/dispatch.h"
#include "lib/format.h"
#include "lib/giver.h"
#include "lib/job_life.h"
#include "lib/options.h"

#include "driver.h"

static struct client client;
static uint64_t last_number; /* of the jobs */

/* A job that was just given. */
static inline struct call *
job_give(bool any)
{
    struct span command = SPAN("make all");
    struct call *call = call_new(request_new(&client), &question_job);
    struct job *job = job_new(&command, 5000);

    job->named_pid = any ? 0 : PID;
    job_take(call, job);
    CHECK_NUMBER(job->number, ++last_number);
    return call;
}

/* Gives the driver that call, and takes the question at its end. Returns the question's number. */
static inline uint32_t
job_send(struct call *call)
{
    unsigned char data[PROTO_FRAME_MAX + PROTO_TEXT_MAX];
    struct proto_frame frame;
    size_t size;

    call_assign(call, &driver);
    CHECK(fleet_idle() == NULL && driver.jobs_due == 1);
    driver_flush(&driver);
    CHECK(deadline_is_set(&call->deadline));
    ssize_t n = recv(other_end, data, sizeof(data), 0);
    CHECK(n > 0 && proto_decode(PROTO_FROM_SERVER, data, (size_t)n, &frame) == PROTO_COMPLETE);
    CHECK(frame.header.type == PROTO_RUN && proto_size(&frame) == (size_t)n);
    const char *text = proto_text(data, &frame, &size);
    CHECK_BYTES(text, size, "make all");
    struct proto_run run = proto_run(data);
    CHECK(run.limit_ms == 5000 && run.grace_ms == 2000 && run.flags == 0);
    CHECK(run.job == call->job->number && run.slot == call->job->slot && run.slot == 1);
    CHECK_NUMBER(run.expires_ns, clock_turn_ns + NS_PER_S);
    return frame.header.id;
}

static inline void
say_state(uint32_t id, enum proto_work work, enum proto_refusal refusal)
{
    struct proto_state state = {.work = (uint8_t)work,
                                .refusal = (uint8_t)refusal,
                                .remaining_ms = work != PROTO_FREE ? 5000 : 0};

    driver_says(PROTO_STATE, id, &state, sizeof(state));
    driver_receive(&driver);
}

static inline void
say_begun(uint32_t id, uint32_t pid)
{
    driver_says(PROTO_BEGUN, id, &pid, sizeof(pid));
    driver_receive(&driver);
}

static inline void
say_result(uint32_t id, struct proto_result result)
{
    driver_says(PROTO_RESULT, id, &result, sizeof(result));
    driver_receive(&driver);
}

static const struct proto_result exited_3 = {.outcome = PROTO_EXITED, .status = 3};
static const struct proto_result late = {.outcome = PROTO_UNRUN, .cause = PROTO_CAUSE_LATE};

/* The driver has taken a job. */
static inline struct call *
job_run(bool any)
{
    struct call *call = job_give(any);

    say_state(job_send(call), PROTO_ON_JOB, PROTO_OK);
    CHECK(driver.work == PROTO_ON_JOB && driver.job == call->job && driver.job_id == call->id);
    CHECK(call->job->state == JOB_RUNNING && call->ongoing && driver.jobs_due == 0);
    CHECK(!deadline_is_set(&call->deadline) && deadline_is_set(&driver.job_deadline));
    return call;
}

static inline void
call_drop(struct call *call)
{
    struct request *request = call->request;

    call_free(call);
    request_free(request);
}

/* The job is Done with that, and then there is none; the driver is free. */
static inline void
check_done(struct call *call, enum job_ending ending, enum job_reason reason, int value, int line)
{
    check_number(call->outcome, OUTCOME_DONE, __FILE__, line);
    check_number(call->job->state, JOB_DONE, __FILE__, line);
    check_number(call->job->result.ending, ending, __FILE__, line);
    check_number(call->job->result.reason, reason, __FILE__, line);
    check_number((uint64_t)call->job->result.value, (uint64_t)value, __FILE__, line);
    check_number(call->job->slot, 0, __FILE__, line);
    call_drop(call);
    check_number(jobs_count(), 0, __FILE__, line);
    check_true(driver.job == NULL && !deadline_is_set(&driver.job_deadline), "no job", __FILE__,
               line);
    check_true(driver.work_due == 0 && driver.jobs_due == 0, "none is due", __FILE__, line);
}

/* Ends whatever the driver still has, as its death would. */
static inline void
driver_drop_all(void)
{
    struct list *lists[] = {&driver.queued, &driver.in_flight, &driver.ongoing};
    const struct job_result lost = {.ending = JOB_LOST};

    job_of_driver_end(&driver, &lost);
    for (size_t i = 0; i < 3; i++) {
        while (!list_empty(lists[i])) {
            struct call *call = container_of(lists[i]->next, struct call, of_driver);
            if (call->job != NULL)
                driver_job_not_begun(&driver, call, OUTCOME_DIED);
            else
                driver_call_end(&driver, call, OUTCOME_DIED);
            list_remove(&call->of_driver); /* of a job that would go to another driver */
        }
    }
    while (!list_empty(&client.requests)) {
        struct request *request = container_of(client.requests.next, struct request, link);
        call_drop(container_of(request->calls.next, struct call, of_request));
    }
    CHECK(jobs_count() == 0);
    driver_end();
}

static inline void
nothing_is_over(void)
{
}

static inline void
jobs_begin(void)
{
    CHECK(sources_open() && deadlines_open(nothing_is_over));
    clock_look();
    options.grace_ns = 2 * NS_PER_S;
    options.reply_timeout_ns = NS_PER_S;
    deadline_set(DEADLINE_REPLY, NS_PER_S);
    clients_open();
    CHECK(fleet_open() && requests_open() && calls_open());
    client_init(&client, &format_text);
    client.giver = giver_new();
}

static inline int
jobs_end(void)
{
    jobs_forget_ends();
    CHECK(client.owed == 0 && client.jobs == 0 && jobs_all_freed());
    return checks_failed();
}

#endif

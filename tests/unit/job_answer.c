/* lib/answer.h, channel.h and job_life.h: what becomes of a job, depending on what its driver says or
 * does not say. The driver is this test. */
#include "lib/phase.h"
#include "lib/stats.h"

#include "jobs.h"

/* The call waits for any driver again, before all others, with a job that has not begun. */
static void
check_back(struct call *call, int line)
{
    struct call *behind = job_give(true);

    call_await_any(behind);
    check_true(calls_awaiting_any() == call && call_awaits_any(call), "in front", __FILE__, line);
    check_true(!call->ongoing && call->driver == NULL, "without a driver", __FILE__, line);
    check_true(!deadline_is_set(&call->deadline), "without a deadline", __FILE__, line);
    check_number(call->job->state, JOB_WAITING, __FILE__, line);
    check_number(call->job->slot, 0, __FILE__, line);
    check_number(driver.work_due + driver.jobs_due, 0, __FILE__, line);
    list_remove(&behind->of_driver);
    list_remove(&call->of_driver);
    call_drop(behind);
}

/* The call ends as an Error; its job gives its number back. */
static void
check_error(struct call *call, enum outcome outcome, int line)
{
    check_number(call->outcome, outcome, __FILE__, line);
    check_number(call->job->state, JOB_WAITING, __FILE__, line);
    call_drop(call);
    last_number--;
    check_number(jobs_count(), 0, __FILE__, line);
}

static void
test_run(void)
{
    driver_begin(0);
    struct call *call = job_run(true);
    say_begun(call->id, 1234);
    CHECK(driver.job_pid == 1234 && call->outcome == OUTCOME_PENDING);
    log_begin();
    say_result(
        call->id,
        (struct proto_result){
            .outcome = PROTO_EXITED, .status = 3, .left = 2, .elapsed_us = 4, .maxrss_kb = 5});
    log_is("server: job 1 left 2 processes\n", __LINE__);
    CHECK(call->job->result.left == 2 && call->job->result.elapsed_us == 4);
    CHECK(call->job->result.maxrss_kb == 5);
    CHECK(driver.work == PROTO_FREE && driver.job_pid == 0 && fleet_idle() == &driver);
    check_done(call, JOB_EXIT, REASON_NONE, 3, __LINE__);
    call = job_run(false); /* one without BEGUN */
    say_result(call->id, (struct proto_result){.outcome = PROTO_TIMED_OUT});
    check_done(call, JOB_TIMEOUT, REASON_NONE, 0, __LINE__);
    CHECK(driver.end == END_UNASKED);
    driver_end();
}

/* A job that could not begin for a reason of its own is given to no other driver. */
static void
test_unrun(void)
{
    static const enum job_reason reasons[] = {[PROTO_CAUSE_OUT] = REASON_OUT,
                                              [PROTO_CAUSE_ERR] = REASON_ERR,
                                              [PROTO_CAUSE_START] = REASON_START};

    driver_begin(0);
    for (uint32_t cause = PROTO_CAUSE_OUT; cause <= PROTO_CAUSE_START; cause++) {
        struct call *call = job_run(true);
        say_result(call->id, (struct proto_result){
                                 .outcome = PROTO_UNRUN, .status = 13 + cause, .cause = cause});
        check_done(call, JOB_UNRUN, reasons[cause], 13 + (int)cause, __LINE__);
    }
    driver_end();
}

/* Sends the RUN, whose time is over at once. */
static uint32_t
job_send_expired(struct call *call)
{
    uint32_t id = job_send(call);

    call->deadline.at_ns = 0;
    return id;
}

/* The driver has another task, or read the RUN too late. */
static void
test_refused(void)
{
    driver_begin(0);
    struct call *call = job_give(true);
    uint32_t id = job_send(call);
    driver.work = PROTO_ON_TASK; /* another client's, since the job was sent */
    say_state(id, PROTO_ON_TASK, PROTO_REFUSED_BUSY);
    CHECK(driver.work == PROTO_ON_TASK && driver.job == NULL);
    check_back(call, __LINE__);
    say_state(job_send_expired(call), PROTO_ON_TASK, PROTO_REFUSED_LATE);
    check_back(call, __LINE__);
    call_drop(call);
    call = job_give(false);
    say_state(job_send(call), PROTO_ON_TASK, PROTO_REFUSED_BUSY);
    CHECK(call->refusal == PROTO_REFUSED_BUSY && call->remaining_ms == 5000);
    check_error(call, OUTCOME_STATE, __LINE__);
    call = job_give(false);
    say_state(job_send_expired(call), PROTO_FREE, PROTO_REFUSED_LATE);
    check_error(call, OUTCOME_TIMEOUT, __LINE__);
    CHECK(driver.end == END_UNASKED && fleet_idle() == &driver);
    driver_end();
}

/* The driver took the job, but its time to begin had passed. */
static void
test_late(void)
{
    driver_begin(0);
    struct call *call = job_run(true);
    call->deadline.at_ns = 0;
    say_result(call->id, late);
    CHECK(driver.work == PROTO_FREE && driver.job == NULL);
    check_back(call, __LINE__);
    call_drop(call);
    call = job_run(false);
    call->deadline.at_ns = 0;
    say_result(call->id, late);
    check_error(call, OUTCOME_TIMEOUT, __LINE__);
    CHECK(driver.end == END_UNASKED && !deadline_is_set(&driver.job_deadline));
    driver_end();
}

/* The same of a job that was submitted, for which no call waits then. It waits again, before others. */
static void
test_late_submitted(void)
{
    struct span command = SPAN("make all");

    driver_begin(0);
    struct job *job = job_new(&command, 5000);
    job_submit(call_new(NULL, &question_job), job, client.giver);
    CHECK_NUMBER(job->number, ++last_number);
    uint32_t id = job_send(job->call);
    say_state(id, PROTO_ON_JOB, PROTO_OK);
    CHECK(driver.job == job && job->call == NULL);
    say_result(id, late);
    CHECK(driver.job == NULL && driver.end == END_UNASKED && fleet_idle() == &driver);
    CHECK(job->state == JOB_WAITING && job->slot == 0 && job->call != NULL);
    CHECK(calls_awaiting_any() == job->call);
    job_unrun(job, REASON_STOPPING, 0);
    CHECK(jobs_count() == 0 && calls_awaiting_any() == NULL);
    driver_end();
}

/* The answer did not come in time. When it comes, it and what follows is about nobody's job. */
static void
test_timed_out(void)
{
    driver_begin(0);
    struct call *call = job_give(true);
    uint32_t id = job_send(call);
    log_begin();
    call_timed_out(call);
    log_is("server: driver 4711 is not responding\n", __LINE__);
    CHECK(driver.unresponsive && driver.queued_count == 1); /* a CANCEL */
    check_back(call, __LINE__);
    log_begin();
    say_state(id, PROTO_ON_JOB, PROTO_OK);
    log_is("server: driver 4711 responds again\n", __LINE__);
    CHECK(driver.work == PROTO_ON_JOB && driver.job == NULL && driver.job_id == id);
    CHECK(call->outcome == OUTCOME_PENDING && fleet_idle() == NULL);
    say_result(id, late);
    CHECK(driver.work == PROTO_FREE && driver.end == END_UNASKED && fleet_idle() == &driver);
    CHECK(call->outcome == OUTCOME_PENDING && jobs_count() == 1);
    driver_flush(&driver);
    say_state(id + 1, PROTO_FREE, PROTO_REFUSED_FREE); /* to the CANCEL */
    CHECK(driver.end == END_UNASKED && list_empty(&driver.in_flight));
    call_drop(call);
    driver_end();
}

/* The answer is there, only not read yet: then it is no timeout. */
static void
test_unread(void)
{
    struct proto_state state = {.work = PROTO_ON_JOB, .remaining_ms = 1};

    driver_begin(0);
    struct call *call = job_give(true);
    driver_says(PROTO_STATE, job_send(call), &state, sizeof(state));
    call_timed_out(call);
    CHECK(driver.job == call->job && !driver.unresponsive && driver.queued_count == 0);
    say_result(call->id, exited_3);
    check_done(call, JOB_EXIT, REASON_NONE, 3, __LINE__);
    driver_end();
}

/* The answer will never be read: then the job may have begun, and no other driver gets it. */
static void
test_unheard(void)
{
    driver_begin(0);
    struct call *call = job_give(true);
    job_send(call);
    log_begin();
    driver_condemn(&driver, "over");
    log_is("server: driver 4711: over: killed\n", __LINE__);
    CHECK(driver.unheard);
    call_timed_out(call);
    CHECK(calls_awaiting_any() == NULL && call->driver == &driver);
    CHECK(call->outcome == OUTCOME_PENDING && !deadline_is_set(&call->deadline));
    driver_drop_all();
}

static void
test_timed_out_named(void)
{
    driver_begin(0);
    struct call *call = job_give(false);
    job_send(call);
    log_begin();
    call_timed_out(call);
    log_is("server: driver 4711 is not responding\n", __LINE__);
    check_error(call, OUTCOME_TIMEOUT, __LINE__);
    log_begin();
    driver_condemn(&driver, "over");
    log_is("server: driver 4711: over: killed\n", __LINE__);
    while (!list_empty(&driver.queued)) /* the CANCEL */
        driver_call_end(&driver, container_of(driver.queued.next, struct call, of_driver),
                        OUTCOME_DIED);
    driver_end();
}

/* The driver died before it took the job. */
static void
test_died(void)
{
    driver_begin(0);
    struct call *call = job_give(true);
    job_send(call);
    call->status = 9;
    driver_job_not_begun(&driver, call, OUTCOME_DIED);
    check_back(call, __LINE__);
    call_assign(call, &driver); /* and this time before it was sent anything */
    driver_job_not_begun(&driver, call, OUTCOME_DIED);
    check_back(call, __LINE__);
    call_drop(call);
    call = job_give(false);
    job_send(call);
    call->status = 9;
    driver_job_not_begun(&driver, call, OUTCOME_DIED);
    check_done(call, JOB_UNRUN, REASON_DIED, 9, __LINE__);
    driver_end();
}

static void
check_loss(const char *wanted, int line)
{
    char text[LOSS_SIZE];
    size_t size = loss_text(&client.loss, text);

    check_bytes(text, size, wanted, __FILE__, line);
    loss_clear(&client.loss);
}

/* A job whose client is gone goes on if it was taken, and is dropped if it was not, or if it was
 * refused. */
static void
test_client_gone(void)
{
    uint64_t dropped = stats.jobs_dropped;

    log_begin();
    driver_begin(0);
    struct call *call = job_give(true);
    uint32_t id = job_send(call);
    client.output_state = OUTPUT_GONE;
    say_state(id, PROTO_ON_JOB, PROTO_OK);
    CHECK(call->outcome == OUTCOME_STOPPING && call->job == NULL && client.jobs == 0);
    call_drop(call);
    CHECK(driver.job != NULL && driver.job->call == NULL && jobs_count() == 1);
    say_result(id, exited_3);
    CHECK(driver.job == NULL && jobs_count() == 0 && stats.jobs_dropped == dropped);
    call = job_give(true);
    id = job_send(call);
    say_state(id, PROTO_ON_JOB, PROTO_OK);
    call_drop(call);
    say_result(id, late);
    CHECK(jobs_count() == 0 && stats.jobs_dropped == dropped + 1);
    call = job_give(true);
    job_send(call);
    driver_job_not_begun(&driver, call, OUTCOME_STOPPING);
    check_done(call, JOB_UNRUN, REASON_CLIENT_GONE, 0, __LINE__);
    CHECK_NUMBER(stats.jobs_dropped, dropped + 2);
    log_is("server: job 18 Done exit 3 after 0.000 s: make all\n"
           "server: job 19 Done unrun its client is gone: make all\n",
           __LINE__);
    check_loss("1 job not run, job 20: make all", __LINE__);
    driver_end();
    driver_begin(0);
    call = job_give(false);
    id = job_send(call);
    driver.work = PROTO_ON_TASK;
    say_state(id, PROTO_ON_TASK, PROTO_REFUSED_BUSY);
    driver.work = PROTO_FREE;
    driver_changed(&driver);
    check_done(call, JOB_UNRUN, REASON_CLIENT_GONE, 0, __LINE__);
    check_loss("1 job not run, job 21: make all", __LINE__);
    client.output_state = OUTPUT_OPEN;
    driver_end();
}

/* The RESULT must be there when limit, grace and a moment are over; it may be unread. */
static void
test_overdue(void)
{
    driver_begin(0);
    struct call *call = job_run(true);
    clock_turn_ns += 5000 * NS_PER_MS + options.grace_ns;
    CHECK(deadline_over(DEADLINE_JOB) == NULL);
    clock_turn_ns += 10 * NS_PER_S;
    CHECK(deadline_over(DEADLINE_JOB) == &driver.job_deadline);
    driver_says(PROTO_RESULT, call->id, &exited_3, sizeof(exited_3));
    driver_job_timed_out(&driver);
    check_done(call, JOB_EXIT, REASON_NONE, 3, __LINE__);
    CHECK(driver.end == END_UNASKED && deadlines_none(DEADLINE_JOB));
    driver_end();
}

/* The same, and what is unread tells that the driver has also taken the next job. */
static void
test_overdue_next(void)
{
    struct proto_state state = {.work = PROTO_ON_JOB, .remaining_ms = 1};

    driver_begin(0);
    struct call *call = job_run(false), *next = job_give(false);
    call_assign(next, &driver);
    driver_flush(&driver);
    clock_turn_ns += 20 * NS_PER_S;
    driver_says(PROTO_RESULT, call->id, &exited_3, sizeof(exited_3));
    driver_says(PROTO_STATE, next->id, &state, sizeof(state));
    CHECK(deadline_over(DEADLINE_JOB) == &driver.job_deadline);
    driver_job_timed_out(&driver);
    CHECK(driver.end == END_UNASKED && !driver.job_overdue && driver.job == next->job);
    CHECK(call->outcome == OUTCOME_DONE && deadline_is_set(&driver.job_deadline));
    call_drop(call);
    clock_turn_ns += 20 * NS_PER_S; /* we were stopped: the driver has time to end the job */
    CHECK(deadline_over(DEADLINE_JOB) == &driver.job_deadline);
    driver_job_timed_out(&driver);
    CHECK(driver.end == END_UNASKED && !driver.job_overdue && driver.job == next->job);
    CHECK(deadline_over(DEADLINE_JOB) == NULL && deadline_is_set(&driver.job_deadline));
    clock_turn_ns += 3000 * NS_PER_MS + options.grace_ns;
    CHECK(deadline_over(DEADLINE_JOB) == &driver.job_deadline);
    log_begin();
    driver_job_timed_out(&driver);
    log_is("server: driver 4711: did not end its job in time: killed\n", __LINE__);
    CHECK(driver.job_overdue && driver.end == END_CONDEMNED && deadlines_none(DEADLINE_JOB));
    driver_drop_all();
}

static void
nothing_stops(bool first)
{
    (void)first;
}

/* At a stop, no job that has not begun is given to another driver. */
static void
test_stop(void)
{
    phase_open(nothing_stops);
    driver_begin(0);
    struct call *call = job_give(true);
    uint32_t id = job_send(call);
    phase_stop(false);
    driver_job_not_begun(&driver, call, OUTCOME_TIMEOUT);
    check_done(call, JOB_UNRUN, REASON_STOPPING, 0, __LINE__);
    CHECK(stats.jobs_unrun_at_stop == 1 && stats.jobs_cancelled_at_stop == 0);
    say_state(id, PROTO_FREE, PROTO_REFUSED_LATE);
    call = job_run(true);
    say_result(call->id, (struct proto_result){.outcome = PROTO_CANCELLED});
    check_done(call, JOB_CANCELLED, REASON_NONE, 0, __LINE__);
    CHECK(stats.jobs_unrun_at_stop == 1 && stats.jobs_cancelled_at_stop == 1);
    driver_end();
}

int
main(void)
{
    jobs_begin();
    test_run();
    test_unrun();
    test_refused();
    test_late();
    test_timed_out();
    test_unread();
    test_timed_out_named();
    test_died();
    test_client_gone();
    test_unheard();
    test_overdue();
    test_overdue_next();
    test_late_submitted();
    test_stop();
    return jobs_end();
}

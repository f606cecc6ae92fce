/* lib/answer.h: a driver is condemned for saying of a job what cannot be true. The driver is this
 * test. */
#include "jobs.h"

/* The driver was condemned for what it said, and the log has these words. */
static void
check_condemned(const char *what, uint32_t id, int line)
{
    char wanted[128];

    snprintf(wanted, sizeof(wanted), "server: driver 4711: %s %u: killed\n", what, id);
    log_is(wanted, line);
    check_number(driver.end, END_CONDEMNED, __FILE__, line);
    check_true(driver.source.fd < 0, "its socket is closed", __FILE__, line);
}

/* A driver that has no job speaks of one. */
static void
test_lies_without_job(void)
{
    driver_begin(0);
    log_begin();
    say_begun(1, 1234);
    check_condemned("the beginning of no job, id", 1, __LINE__);
    driver_drop_all();
    driver_begin(0);
    log_begin();
    say_result(1, exited_3);
    check_condemned("the result of no job, id", 1, __LINE__);
    driver_drop_all();
    driver_begin(0);
    uint32_t id = job_send(job_give(true));
    log_begin();
    say_begun(id, 1234); /* before it takes the job */
    check_condemned("the beginning of no job, id", id, __LINE__);
    driver_drop_all();
    driver_begin(0);
    id = job_send(job_give(true));
    log_begin();
    say_result(id, exited_3);
    check_condemned("the result of no job, id", id, __LINE__);
    driver_drop_all();
}

/* A driver that has taken a job speaks of another one, or twice. */
static void
test_lies_with_job(void)
{
    driver_begin(0);
    uint32_t id = job_run(true)->id;
    log_begin();
    say_begun(id + 1, 1234);
    check_condemned("the beginning of no job, id", id + 1, __LINE__);
    driver_drop_all();
    driver_begin(0);
    id = job_run(true)->id;
    say_begun(id, 1234);
    log_begin();
    say_begun(id, 1234);
    check_condemned("the beginning of no job, id", id, __LINE__);
    driver_drop_all();
    driver_begin(0);
    id = job_run(true)->id;
    log_begin();
    say_result(id + 1, exited_3);
    check_condemned("the result of no job, id", id + 1, __LINE__);
    driver_drop_all();
    driver_begin(0);
    id = job_run(true)->id;
    log_begin();
    say_result(id, late);
    check_condemned("a job that it calls late too early, id", id, __LINE__);
    driver_drop_all();
    driver_begin(0);
    struct call *call = job_run(true);
    id = call->id;
    say_result(id, exited_3);
    check_done(call, JOB_EXIT, REASON_NONE, 3, __LINE__);
    log_begin();
    say_result(id, exited_3);
    check_condemned("the result of no job, id", id, __LINE__);
    driver_drop_all();
}

/* A state that does not fit the question; job: the driver has taken a job before. */
static void
check_state_lie(bool job, const struct question *question, enum proto_work work,
                enum proto_refusal refusal, const char *what, int line)
{
    driver_begin(0);
    if (job)
        job_run(true);
    struct call *call =
        question == &question_job ? job_give(false) : call_new(request_new(&client), question);
    call->duration_ms = 1;
    call_assign(call, &driver);
    driver_flush(&driver);
    log_begin();
    say_state(call->id, work, refusal);
    check_condemned(what, driver.sent_id, line);
    driver_drop_all();
}

static void
test_state_lies(void)
{
    static const char cannot_be[] = "an impossible state, of request";
    static const char no_fit[] = "an answer that does not fit request";

    check_state_lie(false, &question_job, PROTO_FREE, PROTO_OK, no_fit, __LINE__);
    check_state_lie(false, &question_job, PROTO_ON_TASK, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(false, &question_job, PROTO_FREE, PROTO_REFUSED_BUSY, no_fit, __LINE__);
    check_state_lie(false, &question_job, PROTO_FREE, PROTO_REFUSED_FREE, no_fit, __LINE__);
    check_state_lie(false, &question_job, PROTO_ON_JOB, PROTO_REFUSED_BUSY, cannot_be, __LINE__);
    check_state_lie(false, &question_job, PROTO_ON_TASK, PROTO_REFUSED_BUSY, cannot_be, __LINE__);
    check_state_lie(false, &question_status, PROTO_ON_TASK, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(false, &question_job, PROTO_ON_JOB, PROTO_REFUSED_LATE, cannot_be, __LINE__);
    check_state_lie(false, &question_task, PROTO_ON_JOB, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(false, &question_task, PROTO_FREE, PROTO_OK, no_fit, __LINE__);
    check_state_lie(false, &question_status, PROTO_ON_JOB, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(false, &question_cancel, PROTO_ON_JOB, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(false, &question_cancel, PROTO_ON_TASK, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(true, &question_job, PROTO_ON_JOB, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(true, &question_job, PROTO_FREE, PROTO_REFUSED_LATE, cannot_be, __LINE__);
    check_state_lie(true, &question_status, PROTO_FREE, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(true, &question_status, PROTO_ON_TASK, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(true, &question_cancel, PROTO_FREE, PROTO_OK, cannot_be, __LINE__);
    check_state_lie(true, &question_cancel, PROTO_ON_JOB, PROTO_REFUSED_BUSY, no_fit, __LINE__);
    check_state_lie(true, &question_task, PROTO_ON_JOB, PROTO_OK, no_fit, __LINE__);
    /* It is not late. */
    check_state_lie(false, &question_job, PROTO_FREE, PROTO_REFUSED_LATE, no_fit, __LINE__);
    check_state_lie(false, &question_task, PROTO_FREE, PROTO_REFUSED_LATE, no_fit, __LINE__);
}

/* The END of a task does not end a job. */
static void
test_end_lie(void)
{
    uint32_t outcome = PROTO_CANCELLED;

    driver_begin(0);
    job_run(true);
    log_begin();
    driver_says(PROTO_END, 0, &outcome, sizeof(outcome));
    driver_receive(&driver);
    check_condemned("the end of no task, outcome", outcome, __LINE__);
    driver_drop_all();
}

int
main(void)
{
    jobs_begin();
    test_lies_without_job();
    test_lies_with_job();
    test_state_lies();
    test_end_lie();
    return jobs_end();
}

/* lib/answer.h and channel.h: questions to a driver, and its answers. The driver is this test. */
#include "lib/answer.h"
#include "lib/clients.h"
#include "lib/clock.h"
#include "lib/format.h"
#include "lib/giver.h"

#include "driver.h"

static struct client client;

static struct call *
ask(const struct question *question)
{
    struct call *call = call_new(request_new(&client), question);

    call->duration_ms = 5000;
    driver_call(&driver, call);
    return call;
}

/* Receives the next question at the other end. Returns its number. */
static uint32_t
receive(enum proto_type type)
{
    unsigned char data[PROTO_FRAME_MAX];
    struct proto_frame frame;
    ssize_t n = recv(other_end, data, sizeof(struct proto_header), MSG_PEEK);

    CHECK(n == sizeof(struct proto_header));
    memcpy(&frame.header, data, sizeof(frame.header));
    n = recv(other_end, data, proto_size(&frame), 0);
    CHECK(n > 0 && proto_decode(PROTO_FROM_SERVER, data, (size_t)n, &frame) == PROTO_COMPLETE);
    CHECK_NUMBER(frame.header.type, type);
    return frame.header.id;
}

static void
answer(uint32_t id, bool busy)
{
    struct proto_state state = {.work = busy ? PROTO_ON_TASK : PROTO_FREE,
                                .remaining_ms = busy ? 5000 : 0};

    driver_says(PROTO_STATE, id, &state, sizeof(state));
    driver_receive(&driver);
}

static void
finish(struct call *call, enum outcome outcome)
{
    struct request *request = call->request;

    CHECK(call->outcome == outcome);
    call_free(call);
    request_free(request);
}

static void
test_numbers(void)
{
    CHECK_NUMBER(id_after(0), 1);
    CHECK_NUMBER(id_after(1), 2);
    CHECK_NUMBER(id_after(UINT32_MAX - 1), UINT32_MAX);
    CHECK_NUMBER(id_after(UINT32_MAX), 1);
}

/* The number after the last is 1 again, in what is sent and in what is expected. */
static void
test_wrap(void)
{
    struct call *calls[3];

    driver_begin(UINT32_MAX - 1);
    for (size_t i = 0; i < 3; i++)
        calls[i] = ask(&question_status);
    driver_flush(&driver);
    CHECK_NUMBER(receive(PROTO_STATUS), UINT32_MAX);
    CHECK_NUMBER(receive(PROTO_STATUS), 1);
    CHECK_NUMBER(receive(PROTO_STATUS), 2);
    answer(UINT32_MAX, false);
    answer(1, false);
    answer(2, false);
    CHECK(driver.source.fd >= 0 && driver.end == END_UNASKED);
    CHECK(driver.sent_id == 2 && driver.answered_id == 2 && list_empty(&driver.in_flight));
    for (size_t i = 0; i < 3; i++)
        finish(calls[i], OUTCOME_STATE);
    driver_end();
}

/* A task counts as due until it is answered, and then the driver is busy. */
static void
test_task(void)
{
    struct call *call;

    driver_begin(0);
    CHECK(fleet_idle() == &driver && fleet_engaged() == 0);
    call = ask(&question_task);
    CHECK(fleet_idle() == NULL && fleet_engaged() == 1);
    CHECK(driver.work_due == 1 && driver.jobs_due == 0 && driver.queued_count == 1);
    CHECK(fleet_unsent() == &driver);
    driver_flush(&driver);
    CHECK(driver.queued_count == 0 && deadline_is_set(&call->deadline) && fleet_unsent() == NULL);
    answer(receive(PROTO_TASK), true);
    CHECK(driver.work_due == 0 && driver.work == PROTO_ON_TASK && fleet_engaged() == 1);
    CHECK(!deadline_is_set(&call->deadline));
    finish(call, OUTCOME_STATE);
    call = ask(&question_cancel);
    driver_flush(&driver);
    answer(receive(PROTO_CANCEL), false);
    CHECK(driver.work == PROTO_FREE && fleet_engaged() == 0 && fleet_idle() == &driver);
    finish(call, OUTCOME_STATE);
    driver_end();
    CHECK(fleet_idle() == NULL);
}

/* An answer to no question condemns the driver: before any, or to a later one. */
static void
test_unsolicited(uint32_t asked, uint32_t answered)
{
    struct call *call = NULL;
    char wanted[128];

    driver_begin(0);
    for (uint32_t i = 0; i < asked; i++)
        call = ask(&question_status);
    driver_flush(&driver);
    log_begin();
    answer(answered, false);
    snprintf(wanted, sizeof(wanted), "server: driver %d: an answer to no request, id %u: killed\n",
             PID, answered);
    log_is(wanted, __LINE__);
    CHECK(driver.end == END_CONDEMNED && driver.source.fd < 0 && driver.state == DRIVER_STOPPING);
    if (call != NULL) {
        call_end(call, OUTCOME_DIED);
        finish(call, OUTCOME_DIED);
    }
    driver_end();
}

static void
over(void)
{
}

int
main(void)
{
    CHECK(sources_open() && deadlines_open(over));
    clock_look();
    deadline_set(DEADLINE_REPLY, NS_PER_S);
    clients_open();
    CHECK(fleet_open() && requests_open() && calls_open());
    client_init(&client, &format_text);
    client.giver = giver_new();
    test_numbers();
    test_wrap();
    test_task();
    test_unsolicited(0, 1);
    test_unsolicited(1, 2);
    test_unsolicited(1, UINT32_MAX);
    CHECK(client.owed == 0 && list_empty(&client.requests));
    return checks_failed();
}

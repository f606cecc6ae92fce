/* lib/reply.h, format_text.c, format_json.c: the lines of replies, and what they are put into. */
#include "lib/reply.h"
#include "lib/clients.h"
#include "lib/options.h"
#include "lib/stats.h"

#include "check.h"

#include <errno.h>

static struct client client;

/* A call of a request of its own, that has ended so. */
static struct call *
ended(enum outcome outcome)
{
    struct call *call = call_new(request_new(&client), NULL);

    call->pid = 4711;
    call->pid_text = (struct pid_text){4, "4711"};
    call->outcome = outcome;
    return call;
}

/* Compares what the client is sent with that, and drops it. */
static void
check_said(const char *wanted, int line)
{
    CHECK(client_reply(&client));
    check_bytes(client.output.data != NULL ? client.output.data : "", client.output.end, wanted,
                __FILE__, line);
    if (client.output.data != NULL)
        buffer_consume(&client.output, buffer_used(&client.output));
    check_number(client.owed, 0, __FILE__, line);
}

static void
check_state(uint64_t remaining_ms, const char *text, const char *json, int line)
{
    const struct format *formats[] = {&format_text, &format_json};

    for (size_t i = 0; i < 2; i++) {
        client.format = formats[i];
        ended(OUTCOME_STATE)->remaining_ms = remaining_ms;
        check_said(i == 0 ? text : json, line);
    }
}

static void
test_states(void)
{
    check_state(0, "Driver 4711 Available\n", "{\"driver\":4711,\"state\":\"available\"}\n",
                __LINE__);
    check_state(1, "Driver 4711 Busy 1\n", "{\"driver\":4711,\"state\":\"busy\",\"left_ms\":1}\n",
                __LINE__);
    check_state(1000, "Driver 4711 Busy 1\n",
                "{\"driver\":4711,\"state\":\"busy\",\"left_ms\":1000}\n", __LINE__);
    check_state(1001, "Driver 4711 Busy 2\n",
                "{\"driver\":4711,\"state\":\"busy\",\"left_ms\":1001}\n", __LINE__);
    check_state(PROTO_TASK_MAX_MS, "Driver 4711 Busy 31536000\n",
                "{\"driver\":4711,\"state\":\"busy\",\"left_ms\":31536000000}\n", __LINE__);
    client.format = &format_text;
    ended(OUTCOME_DELETED);
    check_said("Driver 4711 Deleted\n", __LINE__);
    client.format = &format_json;
    ended(OUTCOME_DELETED);
    check_said("{\"driver\":4711,\"state\":\"deleted\"}\n", __LINE__);
}

/* A job that has ended so; output: the number of its files. */
static struct call *
end_job(enum proto_outcome outcome, uint32_t status, uint64_t output)
{
    struct span command = SPAN("true");
    struct call *call = ended(OUTCOME_DONE);

    call_set_job(call, job_new(&command));
    CHECK_NUMBER(client.jobs, 1);
    call->job->output = output;
    call->job->result = (struct proto_result){.outcome = (uint32_t)outcome,
                                              .status = status,
                                              .elapsed_us = 12399,
                                              .user_us = 1000,
                                              .system_us = 99,
                                              .maxrss_kb = 1844};
    return call;
}

static void
test_jobs(void)
{
    static char path[] = "a\"b\\c";

    client.format = &format_text;
    end_job(PROTO_EXITED, 255, 0);
    check_said("Driver 4711 Done exit 255\n", __LINE__);
    end_job(PROTO_SIGNALLED, 9, 0);
    check_said("Driver 4711 Done signal 9\n", __LINE__);
    end_job(PROTO_TIMED_OUT, 0, 0);
    check_said("Driver 4711 Done timeout\n", __LINE__);
    end_job(PROTO_CANCELLED, 0, 0);
    check_said("Driver 4711 Done cancelled\n", __LINE__);
    options.output_path = path;
    end_job(PROTO_EXITED, 0, 12);
    check_said("Driver 4711 Done exit 0 a\"b\\c/12.out a\"b\\c/12.err\n", __LINE__);
    client.format = &format_json;
    end_job(PROTO_EXITED, 0, 12);
    check_said(
        "{\"driver\":4711,\"exit\":0,\"ms\":12.3,\"user_ms\":1.0,\"sys_ms\":0.0,"
        "\"maxrss_kb\":1844,\"out\":\"a\\\"b\\\\c/12.out\",\"err\":\"a\\\"b\\\\c/12.err\"}\n",
        __LINE__);
    options.output_path = NULL;
    end_job(PROTO_TIMED_OUT, 0, 0);
    check_said("{\"driver\":4711,\"timeout\":true,\"ms\":12.3,\"user_ms\":1.0,\"sys_ms\":0.0,"
               "\"maxrss_kb\":1844}\n",
               __LINE__);
    CHECK(client.jobs == 0 && jobs_all_freed());
}

static void
check_error(enum outcome outcome, int value, const char *text)
{
    uint64_t errors = stats.errors;

    client.format = &format_text;
    ended(outcome)->status = value; /* or its error, in the same place */
    check_said(text, __LINE__);
    CHECK_NUMBER(stats.errors, errors + 1);
}

static void
test_errors(void)
{
    struct call *call;

    check_error(OUTCOME_TIMEOUT, 0, "Error: driver 4711 is not responding\n");
    check_error(OUTCOME_DIED, 9, "Error: driver 4711 died (killed by signal 9)\n");
    check_error(OUTCOME_NOT_BORN, ENOENT,
                "Error: cannot create driver: No such file or directory\n");
    check_error(OUTCOME_DEAD_BORN, 3 << 8,
                "Error: cannot create driver: 4711 died (exited with status 3)\n");
    check_error(OUTCOME_LATE_BORN, 0, "Error: cannot create driver: 4711 did not come up in 5 s\n");
    check_error(OUTCOME_MALFORMED, 0, "Error: cannot create driver: 4711 broke the protocol\n");
    check_error(OUTCOME_NO_DRIVER, 0, "Error: no driver\n");
    check_error(OUTCOME_STOPPING, 0, "Error: server is stopping\n");
    call = ended(OUTCOME_STATE);
    call->refusal = PROTO_REFUSED_BUSY;
    call->remaining_ms = 2001;
    check_said("Error: driver 4711 Busy 3\n", __LINE__);
    ended(OUTCOME_STATE)->refusal = PROTO_REFUSED_FREE;
    check_said("Error: driver 4711 has no task\n", __LINE__);
    client.format = &format_json;
    call = ended(OUTCOME_STATE);
    call->refusal = PROTO_REFUSED_EXEC;
    call->error = EACCES;
    check_said("{\"error\":\"cannot run: Permission denied\",\"code\":\"cannot_run\"}\n", __LINE__);
    call = end_job(PROTO_EXITED, 0, 999999999999999);
    call->outcome = OUTCOME_STATE;
    call->refusal = PROTO_REFUSED_EXEC;
    call->error = EEXIST;
    check_said("{\"error\":\"cannot run: 999999999999999.out or 999999999999999.err: File exists\","
               "\"code\":\"cannot_run\"}\n",
               __LINE__);
}

/* A list names those that do not answer and leaves out those that died; it is closed by a count. */
static void
test_list(void)
{
    static const enum outcome outcomes[] = {OUTCOME_STATE, OUTCOME_DIED, OUTCOME_TIMEOUT};
    struct request *request = request_new(&client);

    client.format = request->format = &format_text;
    request->listing = request->counted = true;
    for (int i = 0; i < 3; i++) {
        struct call *call = call_new(request, NULL);
        call->pid = 11 + i;
        call->pid_text = (struct pid_text){2, {'1', (char)('1' + i)}};
        call->outcome = outcomes[i];
    }
    CHECK_NUMBER(client.owed, 4);
    check_said("Driver 11 Available\nDriver 13 Unresponsive\n2 drivers\n", __LINE__);
    request = request_new(&client);
    request->counted = true;
    request->lines = 1;
    check_said("1 driver\n", __LINE__);
}

/* Replies come in the order of the commands, and a line goes out as soon as it is known. */
static void
test_order(void)
{
    struct request *first = request_new(&client);
    struct call *known = call_new(first, NULL), *pending = call_new(first, NULL);

    known->pid_text = (struct pid_text){1, "1"};
    pending->pid_text = (struct pid_text){1, "2"};
    known->outcome = OUTCOME_STATE;
    CHECK(request_answer(&client, "late\n", 5));
    CHECK_NUMBER(client.owed, 4);
    CHECK(client_reply(&client));
    CHECK_NUMBER(client.owed, 3);
    CHECK(!client_reply(&client)); /* waits */
    CHECK_BYTES(client.output.data, client.output.end, "Driver 1 Available\n");
    pending->outcome = OUTCOME_STATE;
    check_said("Driver 1 Available\nDriver 2 Available\nlate\n", __LINE__);
}

/* Where there is no room for the longest line, the reply waits. */
static void
test_room(void)
{
    client.format = &format_text;
    ended(OUTCOME_DELETED);
    CHECK(buffer_prepare(&client.output));
    client.output.end = BLOCK_SIZE - REPLY_SIZE + 1;
    CHECK(!client_reply(&client) && client.output_full);
    CHECK_NUMBER(client.owed, 2);
    client.output.end--;
    CHECK(client_reply(&client) && client.output_full); /* now there is none for what may follow */
    CHECK_NUMBER(client.owed, 1);
    buffer_consume(&client.output, BLOCK_SIZE - REPLY_SIZE);
    CHECK(!client_reply(&client) && client.output_full); /* until the rest is moved */
    CHECK_BYTES(client.output.data + client.output.start, buffer_used(&client.output),
                "Driver 4711 Deleted\n");
    CHECK(buffer_prepare(&client.output));
    CHECK(client_reply(&client) && !client.output_full);
    CHECK_NUMBER(client.owed, 0);
    buffer_consume(&client.output, buffer_used(&client.output));
}

static void
test_stats(void)
{
    char line[TEXT_SIZE];
    size_t size;

    stats = (struct stats){.commands = UINT64_MAX, .jobs_timed_out = 7};
    size = stats_line(&format_text, line);
    CHECK(size > 0 && line[size - 1] == '\n' && strncmp(line, "Stats uptime=", 13) == 0);
    CHECK(strstr(line, " commands=18446744073709551615 errors=0 ") != NULL);
    CHECK(strstr(line, " timeouts=7 ") != NULL);
    size = stats_line(&format_json, line);
    CHECK(strncmp(line, "{\"uptime\":", 10) == 0 && strcmp(line + size - 2, "}\n") == 0);
    CHECK(strstr(line, ",\"commands\":18446744073709551615,") != NULL);
}

int
main(void)
{
    clients_open();
    CHECK(buffers_open() && requests_open() && calls_open());
    client_init(&client, &format_text);
    test_states();
    test_jobs();
    test_errors();
    test_list();
    test_order();
    test_room();
    test_stats();
    CHECK(client.owed == 0 && client.jobs == 0 && list_empty(&client.requests));
    return checks_failed();
}

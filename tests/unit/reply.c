/* lib/reply.h, format_text.c, format_json.c: the lines of replies, and what they are put into. */
#include "lib/reply.h"
#include "lib/clients.h"
#include "lib/giver.h"
#include "lib/job_life.h"
#include "lib/json.h"
#include "lib/options.h"
#include "lib/stats.h"

#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static struct client client;

/* Returns the only call of a new request, which has ended with this outcome. */
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

/* A job of driver 4711, or of none, that is Done with this result. */
static struct job *
job_done(const char *command, pid_t driver_pid, struct job_result result)
{
    struct span span = {command, strlen(command)};
    struct job *job = job_new(&span, 5000);

    struct call *call = ended(OUTCOME_PENDING);

    job_take(call, job);
    job->driver_pid = driver_pid;
    job_end(job, &result);
    list_remove(&client.runnable);
    CHECK(call->outcome == OUTCOME_DONE && client.jobs == 1);
    return job;
}

/* What a job has used, and how it has ended. */
static struct job_result
used(enum job_ending ending, int value)
{
    return (struct job_result){.ending = ending,
                               .value = value,
                               .elapsed_us = 12399,
                               .user_us = 1000,
                               .system_us = 99,
                               .maxrss_kb = 1844};
}

/* The same in JSON. */
#define USED "\"ms\":12.3,\"user_ms\":1.0,\"sys_ms\":0.0,\"maxrss_kb\":1844,\"left\":0,"

static void
check_job(pid_t driver_pid, struct job_result result, const char *text, const char *json, int line)
{
    for (int i = 0; i < 2; i++) {
        client.format = i == 0 ? &format_text : &format_json;
        jobs_open(16, 0);
        job_done("make all", driver_pid, result);
        check_said(i == 0 ? text : json, line);
    }
}

static void
test_jobs(void)
{
    check_job(4711, used(JOB_EXIT, 255), "Job 17 Done exit 255\n",
              "{\"job\":17,\"driver\":4711,\"exit\":255," USED "\"command\":\"make all\"}\n",
              __LINE__);
    check_job(4711, used(JOB_SIGNAL, 9), "Job 17 Done signal 9\n",
              "{\"job\":17,\"driver\":4711,\"signal\":9," USED "\"command\":\"make all\"}\n",
              __LINE__);
    check_job(4711, used(JOB_TIMEOUT, 0), "Job 17 Done timeout\n",
              "{\"job\":17,\"driver\":4711,\"timeout\":true," USED "\"command\":\"make all\"}\n",
              __LINE__);
    check_job(4711, used(JOB_CANCELLED, 0), "Job 17 Done cancelled\n",
              "{\"job\":17,\"driver\":4711,\"cancelled\":true," USED "\"command\":\"make all\"}\n",
              __LINE__);
    jobs_forget_ends();
    CHECK(client.jobs == 0 && jobs_all_freed());
}

static void
check_running(pid_t pid, uint64_t left_ms, const char *text, const char *json, int line)
{
    const struct format *formats[] = {&format_text, &format_json};
    struct span command = SPAN("make all");
    struct job job = {.number = 17, .state = JOB_RUNNING, .driver_pid = 4711};
    struct job_shown shown = {.job = &job, .pid = pid, .elapsed_us = 12345, .left_ms = left_ms};
    struct buffer out = {0};

    job.text = job_text_new(&command);
    for (size_t i = 0; i < 2; i++) {
        CHECK(buffer_prepare(&out));
        formats[i]->job(&out, &shown);
        check_bytes(out.data, buffer_used(&out), i == 0 ? text : json, __FILE__, line);
        buffer_consume(&out, buffer_used(&out));
    }
    job_text_free(job.text);
}

/* A job that runs, in the list of jobs: its process is told once it is known. */
static void
test_running(void)
{
    check_running(0, 1, "Job 17 Running 4711 1 make all\n",
                  "{\"job\":17,\"state\":\"running\",\"driver\":4711,\"ms\":12.3,"
                  "\"left_ms\":1,\"command\":\"make all\"}\n",
                  __LINE__);
    check_running(4712, 1001, "Job 17 Running 4711 2 make all\n",
                  "{\"job\":17,\"state\":\"running\",\"driver\":4711,\"pid\":4712,\"ms\":12.3,"
                  "\"left_ms\":1001,\"command\":\"make all\"}\n",
                  __LINE__);
}

/* The reply tells no usage of a job that has not begun or whose end is not known. */
static void
test_reasons(void)
{
    struct job_result unrun = {.ending = JOB_UNRUN, .reason = REASON_NO_DRIVER};
    struct job_result lost = {
        .ending = JOB_LOST, .reason = REASON_DIED, .value = SIGKILL, .elapsed_us = 5000};

    check_job(0, unrun, "Job 17 Done unrun no driver\n",
              "{\"job\":17,\"unrun\":\"no driver\",\"command\":\"make all\"}\n", __LINE__);
    check_job(4711, lost, "Job 17 Done lost driver 4711 died (killed by signal 9)\n",
              "{\"job\":17,\"driver\":4711,\"lost\":\"driver 4711 died (killed by signal 9)\","
              "\"command\":\"make all\"}\n",
              __LINE__);
    jobs_forget_ends();
    CHECK(jobs_all_freed());
}

#define FILES "\"out\":\"a\\\"b\\\\c/17.out\",\"err\":\"a\\\"b\\\\c/17.err\""

/* JSON names the output files of a job that has begun, also if it is lost; text never does. */
static void
test_output(void)
{
    static char path[] = "a\"b\\c";
    struct job_result unrun = {.ending = JOB_UNRUN, .reason = REASON_OUT, .value = EACCES};
    struct job_result lost = {.ending = JOB_LOST, .reason = REASON_OVERDUE};
    char text[256], json[256];

    options.output_path = path;
    check_job(4711, used(JOB_EXIT, 0), "Job 17 Done exit 0\n",
              "{\"job\":17,\"driver\":4711,\"exit\":0," USED "\"command\":\"make all\"," FILES
              "}\n",
              __LINE__);
    check_job(4711, lost, "Job 17 Done lost driver 4711 did not report its end in time\n",
              "{\"job\":17,\"driver\":4711,\"lost\":\"driver 4711 did not report its end in time\","
              "\"command\":\"make all\"," FILES "}\n",
              __LINE__);
    snprintf(text, sizeof(text), "Job 17 Done unrun cannot open a\"b\\c/17.out: %s\n",
             strerror(EACCES));
    snprintf(json, sizeof(json),
             "{\"job\":17,\"driver\":4711,\"unrun\":\"cannot open a\\\"b\\\\c/17.out: %s\","
             "\"command\":\"make all\"}\n",
             strerror(EACCES));
    check_job(4711, unrun, text, json, __LINE__);
    options.output_path = NULL;
}

/* In JSON a command is UTF-8, with all other bytes and what cannot be printed as \u00XX. */
static void
check_command(const char *command, const char *wanted, int line)
{
    char json[512];

    client.format = &format_json;
    jobs_open(16, 0);
    job_done(command, 4711, used(JOB_EXIT, 0));
    snprintf(json, sizeof(json),
             "{\"job\":17,\"driver\":4711,\"exit\":0," USED "\"command\":\"%s\"}\n", wanted);
    check_said(json, line);
}

static void
test_commands(void)
{
    check_command("echo \"a\\b\" '/'", "echo \\\"a\\\\b\\\" '/'", __LINE__);
    check_command("\t\x01\x1f\x7f~", "\\u0009\\u0001\\u001f\\u007f~", __LINE__);
    check_command("\u00e4\u20ac\U0001f600", "\u00e4\u20ac\U0001f600", __LINE__);
    check_command("\xff\xc3(\xe2\x82", "\\u00ff\\u00c3(\\u00e2\\u0082",
                  __LINE__); /* the last is cut */
    check_command("\xed\xa0\x80\xc0\x80", "\\u00ed\\u00a0\\u0080\\u00c0\\u0080", __LINE__);
}

/* JSON and the log report what a job has left, and it is counted. */
static void
test_left(void)
{
    struct job_result result = used(JOB_EXIT, 3);
    uint64_t left = stats.left, failed = stats.jobs_failed;
    int log = memfd_create("log", MFD_CLOEXEC), stderr_fd = dup(STDERR_FILENO);
    char said[128];

    result.left = UINT32_MAX;
    client.format = &format_json;
    jobs_open(16, 0);
    dup2(log, STDERR_FILENO);
    job_done("x", 4711, result);
    dup2(stderr_fd, STDERR_FILENO);
    ssize_t n = pread(log, said, sizeof(said), 0);
    close(stderr_fd);
    close(log);
    CHECK_BYTES(said, n > 0 ? (size_t)n : 0, "server: job 17 left 4294967295 processes\n");
    check_said("{\"job\":17,\"driver\":4711,\"exit\":3,\"ms\":12.3,\"user_ms\":1.0,\"sys_ms\":0.0,"
               "\"maxrss_kb\":1844,\"left\":4294967295,\"command\":\"x\"}\n",
               __LINE__);
    CHECK_NUMBER(stats.left, left + UINT32_MAX);
    CHECK_NUMBER(stats.jobs_failed, failed + 1);
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
    ended(OUTCOME_TIMEOUT);
    check_said("{\"error\":\"driver 4711 is not responding\",\"code\":\"not_responding\"}\n",
               __LINE__);
}

/* A list names those that do not answer and leaves out those that died; it is closed by a count. */
static void
test_list(void)
{
    static const enum outcome outcomes[] = {OUTCOME_STATE, OUTCOME_DIED, OUTCOME_TIMEOUT};
    struct request *request = request_new(&client);

    client.format = request->format = &format_text;
    request->listing = true;
    request->noun = "driver";
    for (int i = 0; i < 3; i++) {
        struct call *call = call_new(request, NULL);
        call->pid = 11 + i;
        call->pid_text = (struct pid_text){2, {'1', (char)('1' + i)}};
        call->outcome = outcomes[i];
    }
    CHECK_NUMBER(client.owed, 4);
    check_said("Driver 11 Available\nDriver 13 Unresponsive\n2 drivers\n", __LINE__);
    request = request_new(&client);
    request->noun = "driver";
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

/* The line of a Done waits for the room that its command may need. */
static void
test_room_for_command(void)
{
    static char command[PROTO_TEXT_MAX + 1];
    const size_t start = BLOCK_SIZE - (REPLY_SIZE + JSON_BYTE_MAX * PROTO_TEXT_MAX);

    memset(command, 1, PROTO_TEXT_MAX);
    client.format = &format_json;
    job_done(command, 4711, used(JOB_EXIT, 0));
    CHECK(buffer_prepare(&client.output));
    client.output.end = start + 1;
    CHECK(!client_reply(&client) && client.output_full && client.jobs == 1);
    client.output.end--;
    CHECK(client_reply(&client) && client.jobs == 0);
    size_t size = client.output.end - start;
    CHECK(size > JSON_BYTE_MAX * PROTO_TEXT_MAX && client.output.end <= BLOCK_SIZE);
    buffer_consume(&client.output, buffer_used(&client.output));
    CHECK(client_reply(&client)); /* the rest of the request, for which there was no room */
    jobs_forget_ends();
    CHECK(client.owed == 0 && jobs_all_freed());
}

static void
test_stats(void)
{
    char line[TEXT_SIZE];
    size_t size;

    stats = (struct stats){
        .commands = UINT64_MAX, .jobs_timed_out = 7, .jobs_lost = 8, .jobs_dropped = 9, .left = 10};
    size = stats_line(&format_text, line);
    CHECK(size > 0 && line[size - 1] == '\n' && strncmp(line, "Stats uptime=", 13) == 0);
    CHECK(strstr(line, " commands=18446744073709551615 errors=0 ") != NULL);
    CHECK(strstr(line, " timeouts=7 lost=8 dropped=9 left=10 ") != NULL);
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
    client.giver = giver_new();
    test_states();
    test_jobs();
    test_running();
    test_reasons();
    test_output();
    test_commands();
    test_left();
    test_errors();
    test_list();
    test_order();
    test_room();
    test_room_for_command();
    test_stats();
    CHECK(client.owed == 0 && client.jobs == 0 && list_empty(&client.requests));
    return checks_failed();
}

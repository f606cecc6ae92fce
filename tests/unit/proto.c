/* proto.h: each verdict of the decoder, and the size of each kind of frame. */
#include "proto.h"

#include "check.h"

struct raw {
    unsigned char bytes[PROTO_FRAME_MAX + PROTO_TEXT_MAX + 1];
    size_t size;
};

/* A frame that is valid: the shortest of its type, in a buffer with more than it. */
static struct raw
valid(enum proto_sender sender, enum proto_type type)
{
    struct raw raw = {.bytes = {0}};
    bool numbered = type != PROTO_HELLO && type != PROTO_END && type != PROTO_EXIT;
    struct proto_header header = proto_header(sender, type, numbered ? 7 : 0);
    struct proto_task task = {.duration_ms = 1};
    struct proto_run run = {.limit_ms = 1, .grace_ms = 1, .job = 1, .slot = 1};
    struct proto_end end = {.outcome = PROTO_DONE};
    struct proto_begun begun = {.pid = 1};
    struct proto_result result = {.outcome = PROTO_EXITED};

    if (type == PROTO_TASK)
        memcpy(raw.bytes + sizeof(header), &task, sizeof(task));
    if (type == PROTO_RUN) {
        memcpy(raw.bytes + sizeof(header), &run, sizeof(run));
        raw.bytes[sizeof(header) + sizeof(run)] = 'x';
        header.length++;
    }
    if (type == PROTO_END)
        memcpy(raw.bytes + sizeof(header), &end, sizeof(end));
    if (type == PROTO_BEGUN)
        memcpy(raw.bytes + sizeof(header), &begun, sizeof(begun));
    if (type == PROTO_RESULT)
        memcpy(raw.bytes + sizeof(header), &result, sizeof(result));
    memcpy(raw.bytes, &header, sizeof(header));
    raw.size = sizeof(header) + header.length;
    return raw;
}

/* In memory of the exact size, so that a sanitizer sees any read past it. */
static enum proto_verdict
decode(enum proto_sender sender, const struct raw *raw, size_t size)
{
    struct proto_frame frame;
    unsigned char *copy = malloc(size > 0 ? size : 1);

    memcpy(copy, raw->bytes, size);
    enum proto_verdict verdict = proto_decode(sender, copy, size, &frame);
    if (verdict == PROTO_COMPLETE)
        CHECK_NUMBER(proto_size(&frame), raw->size);
    free(copy);
    return verdict;
}

static void
test_sizes(enum proto_sender sender, enum proto_type type, size_t size)
{
    struct raw raw = valid(sender, type);
    enum proto_sender other = sender == PROTO_FROM_SERVER ? PROTO_FROM_DRIVER : PROTO_FROM_SERVER;

    CHECK_NUMBER(raw.size, size);
    for (size_t part = 0; part < size; part++)
        CHECK(decode(sender, &raw, part) == PROTO_INCOMPLETE);
    CHECK(decode(sender, &raw, size) == PROTO_COMPLETE);
    CHECK(decode(sender, &raw, size + 30) == PROTO_COMPLETE); /* and the next ones */
    CHECK(decode(other, &raw, size) == PROTO_BAD_TYPE);
    raw.bytes[0]++; /* version */
    CHECK(decode(sender, &raw, size) == PROTO_BAD_VERSION);
    CHECK(decode(sender, &raw, sizeof(struct proto_header)) == PROTO_BAD_VERSION);
    raw.bytes[0] -= 2;
    CHECK(decode(sender, &raw, size) == PROTO_BAD_VERSION);
    raw = valid(sender, type);
    raw.bytes[4] ^= 7; /* id: a numbered frame gets 0, any other a number */
    CHECK(decode(sender, &raw, size) == PROTO_BAD_ID);
    raw = valid(sender, type);
    raw.bytes[3]++; /* length, by 256: no body is as long, and only a RUN has text */
    CHECK(decode(sender, &raw, size + 256) ==
          (type == PROTO_RUN ? PROTO_BAD_BODY : PROTO_BAD_LENGTH));
    if (raw.bytes[2] > 0) {
        raw = valid(sender, type);
        raw.bytes[2]--;
        CHECK(decode(sender, &raw, size) == PROTO_BAD_LENGTH);
    }
}

static void
test_types(void)
{
    struct raw raw = valid(PROTO_FROM_SERVER, PROTO_STATUS);

    test_sizes(PROTO_FROM_SERVER, PROTO_TASK, 24);
    test_sizes(PROTO_FROM_SERVER, PROTO_STATUS, 8);
    test_sizes(PROTO_FROM_SERVER, PROTO_CANCEL, 12);
    test_sizes(PROTO_FROM_SERVER, PROTO_EXIT, 8);
    test_sizes(PROTO_FROM_SERVER, PROTO_RUN, 57);
    test_sizes(PROTO_FROM_DRIVER, PROTO_HELLO, 12);
    test_sizes(PROTO_FROM_DRIVER, PROTO_STATE, 24);
    test_sizes(PROTO_FROM_DRIVER, PROTO_END, 12);
    test_sizes(PROTO_FROM_DRIVER, PROTO_RESULT, 56);
    test_sizes(PROTO_FROM_DRIVER, PROTO_BEGUN, 12);
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        raw.bytes[1] = (unsigned char)type;
        CHECK((decode(PROTO_FROM_SERVER, &raw, 8) == PROTO_BAD_TYPE) ==
              (type < PROTO_TASK || type > PROTO_RUN));
        CHECK((decode(PROTO_FROM_DRIVER, &raw, 8) == PROTO_BAD_TYPE) ==
              (type < PROTO_HELLO || type > PROTO_BEGUN));
    }
}

/* A RUN with that much text; zero_at: where a 0 is put, if it is inside. */
static enum proto_verdict
decode_run(uint32_t flags, size_t text_size, size_t zero_at)
{
    struct raw raw = valid(PROTO_FROM_SERVER, PROTO_RUN);
    struct proto_header header = proto_header(PROTO_FROM_SERVER, PROTO_RUN, 1);

    memcpy(raw.bytes + sizeof(header) + offsetof(struct proto_run, flags), &flags, sizeof(flags));
    memset(raw.bytes + 56, 'x', text_size);
    if (zero_at < text_size)
        raw.bytes[56 + zero_at] = '\0';
    header.length = (uint16_t)(header.length + text_size);
    memcpy(raw.bytes, &header, sizeof(header));
    raw.size = 56 + text_size;
    return decode(PROTO_FROM_SERVER, &raw, raw.size);
}

static void
test_text(void)
{
    CHECK(decode_run(0, 0, SIZE_MAX) == PROTO_BAD_LENGTH);
    CHECK(decode_run(0, 1, SIZE_MAX) == PROTO_COMPLETE);
    CHECK(decode_run(0, 1, 0) == PROTO_BAD_BODY);
    CHECK(decode_run(0, PROTO_TEXT_MAX, SIZE_MAX) == PROTO_COMPLETE);
    CHECK(decode_run(0, PROTO_TEXT_MAX, PROTO_TEXT_MAX - 1) == PROTO_BAD_BODY);
    CHECK(decode_run(0, PROTO_TEXT_MAX + 1, SIZE_MAX) == PROTO_BAD_LENGTH);
}

/* Of words, the last byte is 0. */
static void
test_words(void)
{
    const uint32_t flags = PROTO_RUN_WORDS;

    CHECK(decode_run(flags, 0, SIZE_MAX) == PROTO_BAD_LENGTH);
    CHECK(decode_run(flags, 1, SIZE_MAX) == PROTO_BAD_BODY);
    CHECK(decode_run(flags, 1, 0) == PROTO_COMPLETE);
    CHECK(decode_run(flags, 9, 4) == PROTO_BAD_BODY);
    CHECK(decode_run(flags, 9, 8) == PROTO_COMPLETE);
    CHECK(decode_run(PROTO_RUN_FLAGS, PROTO_TEXT_MAX, PROTO_TEXT_MAX - 1) == PROTO_COMPLETE);
    CHECK(decode_run(flags, PROTO_TEXT_MAX, PROTO_TEXT_MAX - 2) == PROTO_BAD_BODY);
    CHECK(decode_run(flags, PROTO_TEXT_MAX + 1, PROTO_TEXT_MAX) == PROTO_BAD_LENGTH);
    CHECK(decode_run(PROTO_RUN_FLAGS + 1, 9, 8) == PROTO_BAD_BODY);
}

/* Whether a frame is valid with that body. */
static bool
body_is_valid(enum proto_sender sender, enum proto_type type, const void *body, size_t size)
{
    struct raw raw = valid(sender, type);

    memcpy(raw.bytes + sizeof(struct proto_header), body, size);
    enum proto_verdict verdict = decode(sender, &raw, raw.size);
    CHECK(verdict == PROTO_COMPLETE || verdict == PROTO_BAD_BODY);
    return verdict == PROTO_COMPLETE;
}

static bool
state_is_valid(unsigned work, unsigned refusal, uint64_t remaining_ms)
{
    struct proto_state state = {
        .work = (uint8_t)work, .refusal = (uint8_t)refusal, .remaining_ms = remaining_ms};

    return body_is_valid(PROTO_FROM_DRIVER, PROTO_STATE, &state, sizeof(state));
}

static bool
result_is_valid(uint32_t outcome, uint32_t status)
{
    struct proto_result result = {.outcome = outcome, .status = status};

    return body_is_valid(PROTO_FROM_DRIVER, PROTO_RESULT, &result, sizeof(result));
}

static bool
unrun_is_valid(uint32_t cause, uint32_t status)
{
    struct proto_result result = {.outcome = PROTO_UNRUN, .status = status, .cause = cause};

    return body_is_valid(PROTO_FROM_DRIVER, PROTO_RESULT, &result, sizeof(result));
}

static bool
task_is_valid(uint64_t duration_ms)
{
    struct proto_task task = {.duration_ms = duration_ms};

    return body_is_valid(PROTO_FROM_SERVER, PROTO_TASK, &task, sizeof(task));
}

static bool
begun_is_valid(uint32_t pid)
{
    return body_is_valid(PROTO_FROM_DRIVER, PROTO_BEGUN, &pid, sizeof(pid));
}

static bool
end_is_valid(uint32_t outcome)
{
    return body_is_valid(PROTO_FROM_DRIVER, PROTO_END, &outcome, sizeof(outcome));
}

static bool
run_is_valid(const struct proto_run *run)
{
    return body_is_valid(PROTO_FROM_SERVER, PROTO_RUN, run, sizeof(*run));
}

static void
test_tasks(void)
{
    CHECK(!task_is_valid(0) && task_is_valid(1) && task_is_valid(PROTO_TASK_MAX_MS));
    CHECK(!task_is_valid(PROTO_TASK_MAX_MS + 1) && !task_is_valid(UINT64_MAX));
    CHECK(end_is_valid(PROTO_DONE) && end_is_valid(PROTO_CANCELLED));
    CHECK(!end_is_valid(0) && !end_is_valid(PROTO_EXITED) && !end_is_valid(PROTO_UNRUN));
}

static void
test_states(void)
{
    CHECK(state_is_valid(PROTO_FREE, PROTO_OK, 0) && !state_is_valid(PROTO_FREE, PROTO_OK, 1));
    for (unsigned work = PROTO_ON_TASK; work <= PROTO_ON_JOB; work++) {
        CHECK(state_is_valid(work, PROTO_OK, 1) && !state_is_valid(work, PROTO_OK, 0));
        CHECK(state_is_valid(work, PROTO_OK, PROTO_TASK_MAX_MS));
        CHECK(!state_is_valid(work, PROTO_OK, PROTO_TASK_MAX_MS + 1));
    }
    CHECK(!state_is_valid(PROTO_ON_JOB + 1, PROTO_OK, 1));
    CHECK(!state_is_valid(PROTO_ON_JOB + 1, PROTO_OK, 0));
    for (unsigned refusal = PROTO_OK; refusal <= PROTO_REFUSED_LATE; refusal++)
        CHECK(state_is_valid(PROTO_FREE, refusal, 0) && state_is_valid(PROTO_ON_JOB, refusal, 1));
    CHECK(!state_is_valid(PROTO_FREE, PROTO_REFUSED_LATE + 1, 0));
    CHECK(!state_is_valid(PROTO_FREE, UINT8_MAX, 0));
}

/* Each of the reserved fields must be 0. */
static void
test_reserved(void)
{
    for (size_t i = 0; i < 3; i++) {
        struct proto_state state = {.work = PROTO_FREE};
        state.reserved[i] = i == 1 ? 0x100 : 1;
        CHECK(!body_is_valid(PROTO_FROM_DRIVER, PROTO_STATE, &state, sizeof(state)));
    }
}

static void
test_results(void)
{
    CHECK(result_is_valid(PROTO_EXITED, 0) && result_is_valid(PROTO_EXITED, 255));
    CHECK(!result_is_valid(PROTO_EXITED, 256));
    CHECK(!result_is_valid(PROTO_SIGNALLED, 0) && result_is_valid(PROTO_SIGNALLED, 1));
    CHECK(result_is_valid(PROTO_SIGNALLED, 127) && !result_is_valid(PROTO_SIGNALLED, 128));
    CHECK(result_is_valid(PROTO_CANCELLED, 0) && !result_is_valid(PROTO_CANCELLED, 1));
    CHECK(result_is_valid(PROTO_TIMED_OUT, 0) && !result_is_valid(PROTO_TIMED_OUT, 1));
    CHECK(!result_is_valid(PROTO_DONE, 0) && !result_is_valid(0, 0));
    CHECK(!result_is_valid(PROTO_UNRUN, 0)); /* no cause */
    CHECK(!result_is_valid(PROTO_UNRUN + 1, 0) && !result_is_valid(UINT32_MAX, 0));
}

/* A job has a cause if and only if it has not begun; then nothing of it can be left. */
static void
test_causes(void)
{
    struct proto_result result = {.outcome = PROTO_EXITED, .left = UINT32_MAX};

    CHECK(body_is_valid(PROTO_FROM_DRIVER, PROTO_RESULT, &result, sizeof(result)));
    for (uint32_t outcome = PROTO_CANCELLED; outcome < PROTO_UNRUN; outcome++) {
        result = (struct proto_result){
            .outcome = outcome, .status = outcome == PROTO_SIGNALLED, .cause = PROTO_CAUSE_LATE};
        CHECK(!body_is_valid(PROTO_FROM_DRIVER, PROTO_RESULT, &result, sizeof(result)));
    }
    CHECK(unrun_is_valid(PROTO_CAUSE_LATE, 0) && !unrun_is_valid(PROTO_CAUSE_LATE, 1));
    for (uint32_t cause = PROTO_CAUSE_OUT; cause <= PROTO_CAUSE_START; cause++) {
        CHECK(unrun_is_valid(cause, 1) && unrun_is_valid(cause, PROTO_ERRNO_MAX));
        CHECK(!unrun_is_valid(cause, 0) && !unrun_is_valid(cause, PROTO_ERRNO_MAX + 1));
        result =
            (struct proto_result){.outcome = PROTO_UNRUN, .status = 1, .cause = cause, .left = 1};
        CHECK(!body_is_valid(PROTO_FROM_DRIVER, PROTO_RESULT, &result, sizeof(result)));
    }
    CHECK(!unrun_is_valid(PROTO_CAUSE_NONE, 0) && !unrun_is_valid(PROTO_CAUSE_NONE, 1));
    CHECK(!unrun_is_valid(PROTO_CAUSE_START + 1, 1) && !unrun_is_valid(UINT32_MAX, 1));
}

static void
test_pids(void)
{
    CHECK(!begun_is_valid(0) && begun_is_valid(1) && begun_is_valid(PROTO_PID_MAX));
    CHECK(!begun_is_valid((uint32_t)PROTO_PID_MAX + 1) && !begun_is_valid(UINT32_MAX));
}

static void
test_runs(void)
{
    const struct proto_run least = {.limit_ms = 1, .grace_ms = 1, .job = 1, .slot = 1};
    const struct proto_run most = {.limit_ms = PROTO_TASK_MAX_MS,
                                   .grace_ms = PROTO_TASK_MAX_MS,
                                   .linger_ms = PROTO_TASK_MAX_MS,
                                   .expires_ns = UINT64_MAX,
                                   .job = UINT64_MAX,
                                   .slot = UINT32_MAX,
                                   .flags = PROTO_RUN_FILES | PROTO_RUN_TELL};
    struct proto_run run = least;

    CHECK(run_is_valid(&least) && run_is_valid(&most));
    run.limit_ms = 0;
    CHECK(!run_is_valid(&run));
    run = least, run.grace_ms = 0;
    CHECK(!run_is_valid(&run));
    run = least, run.job = 0;
    CHECK(!run_is_valid(&run));
    run = least, run.slot = 0;
    CHECK(!run_is_valid(&run));
    run = most, run.limit_ms++;
    CHECK(!run_is_valid(&run));
    run = most, run.grace_ms++;
    CHECK(!run_is_valid(&run));
    run = most, run.linger_ms++;
    CHECK(!run_is_valid(&run));
    run = most, run.flags++;
    CHECK(!run_is_valid(&run));
    run.flags = UINT32_MAX;
    CHECK(!run_is_valid(&run));
}

/* What was put into a frame comes out of it. */
static void
test_copies(void)
{
    struct raw raw = valid(PROTO_FROM_SERVER, PROTO_RUN);
    struct proto_frame frame;
    size_t size;

    CHECK(proto_decode(PROTO_FROM_SERVER, raw.bytes, raw.size, &frame) == PROTO_COMPLETE);
    CHECK(proto_run(raw.bytes).job == 1 && proto_run(raw.bytes).flags == 0);
    CHECK_BYTES(proto_text(raw.bytes, &frame, &size), 1, "x");
    CHECK_NUMBER(size, 1);
    raw = valid(PROTO_FROM_DRIVER, PROTO_RESULT);
    CHECK_NUMBER(proto_result(raw.bytes).outcome, PROTO_EXITED);
}

int
main(void)
{
    test_types();
    test_text();
    test_words();
    test_tasks();
    test_states();
    test_reserved();
    test_results();
    test_causes();
    test_pids();
    test_runs();
    test_copies();
    return checks_failed();
}

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
    struct proto_run run = {.limit_ms = 1, .grace_ms = 1};
    struct proto_end end = {.outcome = PROTO_DONE};
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
    if (type == PROTO_RESULT)
        memcpy(raw.bytes + sizeof(header), &result, sizeof(result));
    memcpy(raw.bytes, &header, sizeof(header));
    raw.size = sizeof(header) + header.length;
    return raw;
}

/* In memory of the exact size, so that a sanitizer sees who reads past it. */
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
    raw.bytes[4] ^= 7; /* id: that of a numbered frame becomes 0, another gets one */
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
    test_sizes(PROTO_FROM_SERVER, PROTO_RUN, 41);
    test_sizes(PROTO_FROM_DRIVER, PROTO_HELLO, 12);
    test_sizes(PROTO_FROM_DRIVER, PROTO_STATE, 24);
    test_sizes(PROTO_FROM_DRIVER, PROTO_END, 12);
    test_sizes(PROTO_FROM_DRIVER, PROTO_RESULT, 48);
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        raw.bytes[1] = (unsigned char)type;
        CHECK((decode(PROTO_FROM_SERVER, &raw, 8) == PROTO_BAD_TYPE) ==
              (type < PROTO_TASK || type > PROTO_RUN));
        CHECK((decode(PROTO_FROM_DRIVER, &raw, 8) == PROTO_BAD_TYPE) ==
              (type < PROTO_HELLO || type > PROTO_RESULT));
    }
}

/* A RUN with that much text; zero_at: where a 0 is put, if it is inside. */
static enum proto_verdict
decode_run(size_t text_size, size_t zero_at)
{
    struct raw raw = valid(PROTO_FROM_SERVER, PROTO_RUN);
    struct proto_header header = proto_header(PROTO_FROM_SERVER, PROTO_RUN, 1);

    memset(raw.bytes + 40, 'x', text_size);
    if (zero_at < text_size)
        raw.bytes[40 + zero_at] = '\0';
    header.length = (uint16_t)(header.length + text_size);
    memcpy(raw.bytes, &header, sizeof(header));
    raw.size = 40 + text_size;
    return decode(PROTO_FROM_SERVER, &raw, raw.size);
}

static void
test_text(void)
{
    CHECK(decode_run(0, SIZE_MAX) == PROTO_BAD_LENGTH);
    CHECK(decode_run(1, SIZE_MAX) == PROTO_COMPLETE);
    CHECK(decode_run(1, 0) == PROTO_BAD_BODY);
    CHECK(decode_run(PROTO_TEXT_MAX, SIZE_MAX) == PROTO_COMPLETE);
    CHECK(decode_run(PROTO_TEXT_MAX, PROTO_TEXT_MAX - 1) == PROTO_BAD_BODY);
    CHECK(decode_run(PROTO_TEXT_MAX + 1, SIZE_MAX) == PROTO_BAD_LENGTH);
}

static bool
state_is_valid(uint8_t busy, uint8_t refusal, uint16_t reserved, uint64_t remaining_ms)
{
    struct proto_state state = {busy, refusal, reserved, 0, remaining_ms};
    struct raw raw = valid(PROTO_FROM_DRIVER, PROTO_STATE);

    memcpy(raw.bytes + sizeof(struct proto_header), &state, sizeof(state));
    return decode(PROTO_FROM_DRIVER, &raw, raw.size) == PROTO_COMPLETE;
}

static bool
result_is_valid(uint32_t outcome, uint32_t status)
{
    struct proto_result result = {.outcome = outcome, .status = status};
    struct raw raw = valid(PROTO_FROM_DRIVER, PROTO_RESULT);

    memcpy(raw.bytes + sizeof(struct proto_header), &result, sizeof(result));
    return decode(PROTO_FROM_DRIVER, &raw, raw.size) == PROTO_COMPLETE;
}

static bool
task_is_valid(uint64_t duration_ms)
{
    struct raw raw = valid(PROTO_FROM_SERVER, PROTO_TASK);

    memcpy(raw.bytes + sizeof(struct proto_header), &duration_ms, sizeof(duration_ms));
    return decode(PROTO_FROM_SERVER, &raw, raw.size) == PROTO_COMPLETE;
}

static void
test_bodies(void)
{
    CHECK(!task_is_valid(0) && task_is_valid(1) && task_is_valid(PROTO_TASK_MAX_MS));
    CHECK(!task_is_valid(PROTO_TASK_MAX_MS + 1));
    CHECK(state_is_valid(0, PROTO_OK, 0, 0) && !state_is_valid(0, PROTO_OK, 0, 1));
    CHECK(state_is_valid(1, PROTO_OK, 0, 1) && !state_is_valid(1, PROTO_OK, 0, 0));
    CHECK(state_is_valid(1, PROTO_OK, 0, PROTO_TASK_MAX_MS));
    CHECK(!state_is_valid(1, PROTO_OK, 0, PROTO_TASK_MAX_MS + 1));
    CHECK(!state_is_valid(2, PROTO_OK, 0, 1) && !state_is_valid(0, PROTO_OK, 1, 0));
    CHECK(state_is_valid(0, PROTO_REFUSED_EXEC, 0, 0));
    CHECK(!state_is_valid(0, PROTO_REFUSED_EXEC + 1, 0, 0));
    CHECK(result_is_valid(PROTO_EXITED, 0) && result_is_valid(PROTO_EXITED, 255));
    CHECK(!result_is_valid(PROTO_EXITED, 256));
    CHECK(!result_is_valid(PROTO_SIGNALLED, 0) && result_is_valid(PROTO_SIGNALLED, 1));
    CHECK(result_is_valid(PROTO_SIGNALLED, 127) && !result_is_valid(PROTO_SIGNALLED, 128));
    CHECK(result_is_valid(PROTO_CANCELLED, 0) && !result_is_valid(PROTO_CANCELLED, 1));
    CHECK(result_is_valid(PROTO_TIMED_OUT, 0) && !result_is_valid(PROTO_TIMED_OUT, 1));
    CHECK(!result_is_valid(PROTO_DONE, 0) && !result_is_valid(0, 0));
    CHECK(!result_is_valid(PROTO_TIMED_OUT + 1, 0));
}

int
main(void)
{
    test_types();
    test_text();
    test_bodies();
    return checks_failed();
}

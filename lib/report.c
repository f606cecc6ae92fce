#include "report.h"

#include "clock.h"

#include <unistd.h>

static inline void
report(struct link *link, const struct proto_frame *frame)
{
    link_put(link, frame, proto_size(frame));
}

void
report_hello(struct link *link)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_HELLO, 0),
        .hello.pid = (uint32_t)getpid(),
    };

    report(link, &frame);
}

void
report_state(struct link *link, uint32_t id, enum proto_work work, enum proto_refusal refusal,
             int64_t end_ns)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_STATE, id),
        .state.work = (uint8_t)work,
        .state.refusal = (uint8_t)refusal,
    };

    if (work != PROTO_FREE)
        frame.state.remaining_ms = (uint64_t)((end_ns - clock_turn_ns + NS_PER_MS - 1) / NS_PER_MS);
    report(link, &frame);
}

void
report_end(struct link *link, enum proto_outcome outcome)
{
    struct proto_frame frame = {
        .header = proto_header(PROTO_FROM_DRIVER, PROTO_END, 0),
        .end.outcome = outcome,
    };

    report(link, &frame);
}

void
report_result(struct link *link, uint32_t id, const struct proto_result *result)
{
    struct proto_header header = proto_header(PROTO_FROM_DRIVER, PROTO_RESULT, id);

    link_put(link, &header, sizeof(header));
    link_put(link, result, sizeof(*result));
}

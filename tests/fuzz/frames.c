/* Fuzzes the frame decoder, as the server and as a driver use it: whatever the bytes are, it takes
 * whole frames off their beginning, or asks for more, or refuses. */
#include "../../proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decode_all(enum proto_sender sender, const uint8_t *data, size_t size)
{
    struct proto_frame frame;
    enum proto_verdict verdict;
    /* A copy of the exact size, so that reading past its end is seen. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    size_t done = 0;

    memcpy(copy, data, size);
    while ((verdict = proto_decode(sender, copy + done, size - done, &frame)) == PROTO_COMPLETE) {
        assert(proto_size(&frame) <= size - done);
        assert(memcmp(&frame, copy + done, proto_size(&frame)) == 0);
        assert(proto_body_size(sender, frame.header.type) == frame.header.length);
        done += proto_size(&frame);
    }
    /* A frame is never longer than a receiver keeps of an incomplete one. */
    assert(verdict != PROTO_INCOMPLETE || size - done < PROTO_FRAME_MAX);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode_all(PROTO_FROM_SERVER, data, size);
    decode_all(PROTO_FROM_DRIVER, data, size);
    return 0;
}

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
        size_t body = (size_t)proto_body_size(sender, frame.header.type), text_size = 0;
        assert(proto_size(&frame) <= size - done);
        size_t here = proto_size(&frame) < sizeof(frame) ? proto_size(&frame) : sizeof(frame);
        assert(memcmp(&frame, copy + done, here) == 0);
        if (frame.header.type == PROTO_RUN) {
            const char *text = proto_text(copy + done, &frame, &text_size);
            assert(text_size >= 1 && text_size <= PROTO_TEXT_MAX);
            if (proto_run(copy + done).flags & PROTO_RUN_WORDS)
                assert(text[text_size - 1] == '\0');
            else
                assert(memchr(text, '\0', text_size) == NULL);
        }
        assert(frame.header.length == body + text_size);
        done += proto_size(&frame);
    }
    /* A frame is never longer than a receiver keeps of an incomplete one. */
    size_t longest = PROTO_FRAME_MAX + (sender == PROTO_FROM_SERVER ? PROTO_TEXT_MAX : 0);
    assert(verdict != PROTO_INCOMPLETE || size - done < longest);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode_all(PROTO_FROM_SERVER, data, size);
    decode_all(PROTO_FROM_DRIVER, data, size);
    return 0;
}

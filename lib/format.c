#include "format.h"

const char *
result_word(const struct proto_result *result)
{
    switch ((enum proto_outcome)result->outcome) {
    case PROTO_EXITED:
        return "exit";
    case PROTO_SIGNALLED:
        return "signal";
    case PROTO_TIMED_OUT:
        return "timeout";
    case PROTO_CANCELLED:
        return "cancelled";
    case PROTO_DONE: /* only a task can have this */
        break;
    }
    assert(false && "a result that proto_decode() lets nobody say");
}

bool
result_has_status(const struct proto_result *result)
{
    return result->outcome == PROTO_EXITED || result->outcome == PROTO_SIGNALLED;
}

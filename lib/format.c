#include "format.h"

const struct format *const all_formats[FORMATS] = {&format_text, &format_json};

const struct format *
format_find(const struct span *name)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (all_formats[i]->name != NULL && span_is(name, all_formats[i]->name))
            return all_formats[i];
    return NULL;
}

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

#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

enum {
    /* A request adds at most two frames to the output (the END of a task and its own STATE), and
     * the timer one more. */
    OUTPUT_RESERVE = 3 * PROTO_FRAME_MAX,
};

bool
link_open(struct link *link, void (*ready)(struct source *, uint32_t events))
{
    bool set_up = fcntl(PROTO_FD, F_SETFD, FD_CLOEXEC) == 0;

    link->source = (struct source){.fd = set_up ? PROTO_FD : -1, .ready = ready};
    return set_up && source_watch(&link->source, EPOLLIN);
}

void
link_close(struct link *link)
{
    source_close(&link->source);
    link->output_size = 0;
}

bool
link_receive(struct link *link)
{
    if (link->output_size > 0)
        return true;
    if (link->input_start > 0) {
        link->input_end -= link->input_start;
        memmove(link->input, link->input + link->input_start, link->input_end);
        link->input_start = 0;
    }
    ssize_t n = recv(link->source.fd, link->input + link->input_end,
                     sizeof(link->input) - link->input_end, MSG_DONTWAIT);
    if (n > 0)
        link->input_end += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

bool
link_is_full(const struct link *link)
{
    return sizeof(link->output) - link->output_size < OUTPUT_RESERVE;
}

enum proto_verdict
link_next(struct link *link, struct proto_frame *request, const void **data)
{
    if (link_is_full(link))
        return PROTO_INCOMPLETE;
    *data = link->input + link->input_start;
    enum proto_verdict verdict =
        proto_decode(PROTO_FROM_SERVER, *data, link->input_end - link->input_start, request);
    if (verdict == PROTO_COMPLETE)
        link->input_start += proto_size(request);
    return verdict;
}

void
link_put(struct link *link, const void *data, size_t size)
{
    assert(size <= sizeof(link->output) - link->output_size);
    memcpy(link->output + link->output_size, data, size);
    link->output_size += size;
}

bool
link_flush(struct link *link)
{
    size_t sent = 0;

    while (sent < link->output_size && link->source.fd >= 0) {
        ssize_t n = send(link->source.fd, link->output + sent, link->output_size - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return false;
    }
    link->output_size -= sent;
    memmove(link->output, link->output + sent, link->output_size);
    return true;
}

bool
link_watch(struct link *link)
{
    return source_watch(&link->source, link->output_size > 0 ? EPOLLOUT : EPOLLIN);
}

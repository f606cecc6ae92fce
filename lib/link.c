#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

/* SO_PEERCRED of a socketpair names its maker, unix(7). */
pid_t
link_maker(void)
{
    struct ucred maker = {.pid = 0};
    socklen_t size = sizeof(maker);

    return getsockopt(PROTO_FD, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 ? maker.pid : 0;
}

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
    if (link->output_size > 0 && !link->patient)
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

enum proto_verdict
link_next(struct link *link, struct proto_frame *request, const void **data)
{
    size_t size = link_is_full(link) ? 0 : link->input_end - link->input_start;

    *data = link->input + link->input_start;
    enum proto_verdict verdict = proto_decode(PROTO_FROM_SERVER, *data, size, request);
    if (verdict == PROTO_COMPLETE)
        link->input_start += proto_size(request);
    return verdict;
}

bool
link_flush(struct link *link)
{
    size_t sent = 0;

    link->patient = false;
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
    bool waits = link->output_size > 0 && !link->patient;

    return source_watch(&link->source, waits ? EPOLLOUT : EPOLLIN);
}

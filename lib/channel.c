#include "channel.h"

#include "answer.h"
#include "clients.h"
#include "clock.h"
#include "job_life.h"
#include "log.h"
#include "options.h"
#include "phase.h"
#include "stats.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    RECEIVES_FOR_RESULT = 8,
};

/* Frames to or from one driver, for one system call. */
static unsigned char scratch[BLOCK_SIZE];

/* ---- receiving ------------------------------------------------------------------------------- */

static void
driver_condemn_frame(struct driver *driver, enum proto_verdict verdict,
                     const struct proto_header *header)
{
    switch (verdict) {
    case PROTO_BAD_VERSION:
        driver_condemn_malformed(driver, "bad frame version", header->version);
        break;
    case PROTO_BAD_TYPE:
        driver_condemn_malformed(driver, "bad frame type", header->type);
        break;
    case PROTO_BAD_LENGTH:
        driver_condemn_malformed(driver, "bad frame length", header->length);
        break;
    case PROTO_BAD_ID:
        driver_condemn_malformed(driver, "bad frame id", header->id);
        break;
    case PROTO_BAD_BODY:
        driver_condemn_malformed(driver, "bad body in a frame of type", header->type);
        break;
    case PROTO_COMPLETE:
    case PROTO_INCOMPLETE:
        assert(false && "these are no reason to condemn");
    }
}

/* Handles the complete frames in data; stores the rest, which is less than a frame, in the
 * driver. */
static void
driver_parse(struct driver *driver, const unsigned char *data, size_t size)
{
    struct proto_frame frame;
    enum proto_verdict verdict;
    size_t done = 0;

    while ((verdict = proto_decode(PROTO_FROM_DRIVER, data + done, size - done, &frame)) ==
           PROTO_COMPLETE) {
        driver_said(driver, &frame, data + done);
        done += proto_size(&frame);
        if (driver->source.fd < 0)
            return; /* condemned for what it said */
    }
    if (verdict != PROTO_INCOMPLETE) {
        driver_condemn_frame(driver, verdict, &frame.header);
        return;
    }
    wire_keep_arrived(&driver->wire, data + done, size - done);
}

/* The driver has closed its socket, so it is about to exit; otherwise DEADLINE_EXIT ends it. A
 * driver that has not said HELLO yet keeps its DEADLINE_START. */
static void
driver_hangup(struct driver *driver)
{
    driver_close(driver);
    if (driver->state != DRIVER_STARTING)
        driver_unlist(driver);
}

bool
driver_receive(struct driver *driver)
{
    if (driver->source.fd < 0)
        return false;
    size_t size = wire_arrived(&driver->wire, scratch);
    ssize_t n = recv(driver->source.fd, scratch + size, sizeof(scratch) - size, 0);
    if (n > 0) {
        driver_parse(driver, scratch, size + (size_t)n);
        return true;
    }
    /* ECONNRESET says, once, that the driver closed its end before it had read everything. */
    if (n < 0 && (errno == EINTR || errno == ECONNRESET))
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n < 0)
        driver_condemn(driver, "cannot receive: %s", strerror(errno));
    else
        driver_hangup(driver);
    return false;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Writes the call's frame to data, which has room for the longest frame. Returns the frame's
 * size. */
static size_t
call_put(const struct call *call, uint32_t id, unsigned char *data)
{
    const struct question *question = call->question;
    size_t size =
        question->put != NULL ? question->put(call, data + sizeof(struct proto_header)) : 0;
    struct proto_header header = {
        .version = PROTO_VERSION,
        .type = (uint8_t)question->type,
        .length = (uint16_t)size,
        .id = id,
    };

    memcpy(data, &header, sizeof(header));
    return sizeof(header) + size;
}

/* Fills scratch with what must be sent: the rest of a frame that was sent in part, then the queued
 * calls, then EXIT if it is due. Returns the size. */
static size_t
driver_frames(const struct driver *driver)
{
    size_t size = wire_unsent(&driver->wire, scratch);
    uint32_t id = driver->sent_id;

    for (struct list *link = driver->queued.next; link != &driver->queued; link = link->next) {
        if (sizeof(scratch) - size < PROTO_TEXT_MAX + 2 * PROTO_FRAME_MAX)
            return size;
        id = id_after(id);
        size += call_put(container_of(link, struct call, of_driver), id, scratch + size);
    }
    if (driver->end == END_ASKED) {
        struct proto_header header = proto_header(PROTO_FROM_SERVER, PROTO_EXIT, 0);
        memcpy(scratch + size, &header, sizeof(header));
        size += sizeof(header);
    }
    return size;
}

/* The call was sent, so its deadline starts. A CANCEL that takes back a task has no deadline, since
 * no client waits for it. */
static void
call_handed_over(struct driver *driver, struct call *call)
{
    list_unlink(&call->of_driver);
    list_append(&driver->in_flight, &call->of_driver);
    driver->queued_count--;
    call->id = driver->sent_id = id_after(driver->sent_id);
    if (call->request != NULL || call->job != NULL)
        deadline_start(&call->deadline, DEADLINE_REPLY);
}

/* The last frame that was sent is now the call's. If it is a RUN, a part of its text may be
 * unsent. */
static void
driver_take_text(struct driver *driver, const struct call *call)
{
    wire_set_text(&driver->wire, call->job != NULL ? call->job->text : NULL);
    driver->ran |= call->job != NULL;
}

/* Notes that the first sent bytes of scratch, see driver_frames(), were sent. A frame that was sent
 * in part counts as sent; its rest is stored in the driver, and is sent first the next time. */
static void
driver_sent(struct driver *driver, size_t sent)
{
    /* Where the next frame begins. */
    size_t at = driver->wire.out_size + driver->wire.text_size;

    while (at < sent && !list_empty(&driver->queued)) {
        struct call *call = container_of(driver->queued.next, struct call, of_driver);
        struct proto_header header;
        memcpy(&header, scratch + at, sizeof(header));
        at += sizeof(header) + header.length;
        driver_take_text(driver, call);
        call_handed_over(driver, call);
    }
    if (at < sent) {
        at += sizeof(struct proto_header);
        wire_set_text(&driver->wire, NULL);
        driver->end = END_SENT;
    }
    wire_keep_unsent(&driver->wire, scratch + sent, at > sent ? at - sent : 0);
}

/* The driver's end of the socket refuses data. What the driver said before is read. If that does
 * not end with a hangup, the driver has shut down only its receiving side, and is useless. */
static void
driver_closed(struct driver *driver)
{
    while (driver_receive(driver))
        ;
    if (driver->source.fd >= 0)
        driver_condemn(driver, "does not read any more");
}

/* Drops the queued calls that must not wait for a full socket: calls of a get_drivers whose driver
 * does not respond, and calls of clients that have gone. All other clients are held back. */
static void
driver_unqueue(struct driver *driver)
{
    struct list *next;

    for (struct list *link = driver->queued.next; link != &driver->queued; link = next) {
        struct call *call = container_of(link, struct call, of_driver);
        const struct request *request = call->request;
        next = link->next;
        if (request == NULL || !(request->client->output_state == OUTPUT_GONE ||
                                 (request->listing && driver->unresponsive)))
            continue;
        driver->queued_count--;
        if (call->job != NULL)
            driver_job_not_begun(driver, call, OUTCOME_STOPPING);
        else
            driver_call_end(driver, call, OUTCOME_TIMEOUT);
    }
}

void
driver_flush(struct driver *driver)
{
    bool full = false;
    size_t size;

    list_remove(&driver->unsent);
    while (!full && (size = driver_frames(driver)) > 0) {
        ssize_t sent = send(driver->source.fd, scratch, size, MSG_NOSIGNAL);
        if (sent >= 0) {
            driver_sent(driver, (size_t)sent);
        } else if (errno == EAGAIN) {
            full = true;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            driver_closed(driver);
            return;
        } else if (errno != EINTR) {
            driver_condemn(driver, "cannot send: %s", strerror(errno));
            return;
        }
    }
    if (!source_watch(&driver->source, full ? EPOLLIN | EPOLLOUT : EPOLLIN)) {
        driver_condemn(driver, "cannot watch it: %s", strerror(errno));
        return;
    }
    if (full && (driver->unresponsive || clients_gone() > 0))
        driver_unqueue(driver);
    if (driver->queued_count < DRIVER_QUEUE_MAX)
        driver_release(driver);
}

void
driver_ready(struct source *source, uint32_t events)
{
    struct driver *driver = container_of(source, struct driver, source);

    if (events & EPOLLOUT)
        driver_send_later(driver);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        driver_receive(driver);
}

/* ---- timeouts -------------------------------------------------------------------------------- */

static void
driver_not_responding(struct driver *driver)
{
    if (!driver->unresponsive && driver->state == DRIVER_READY)
        log_line("driver %d is not responding", driver->pid);
    driver->unresponsive = true;
    driver_changed(driver);
    driver_send_later(driver); /* if its socket is full, this may drop calls */
}

void
call_timed_out(struct call *call)
{
    struct driver *driver = call->driver;

    /* The answer may be there, but unread: perhaps it was the server that was stopped. */
    if (driver_receive(driver))
        return;
    /* If the answer will never be read, the job may have begun: the end of the driver ends the
     * call. */
    if (driver->unheard && call->job != NULL) {
        deadline_stop(&call->deadline);
        return;
    }
    stats.unanswered++;
    driver_not_responding(driver);
    if (call->question->makes_busy)
        driver_revoke(driver, call->id);
    if (call->job != NULL)
        driver_job_not_begun(driver, call, OUTCOME_TIMEOUT);
    else
        driver_call_end(driver, call, phase_stopping() ? OUTCOME_STOPPING : OUTCOME_TIMEOUT);
}

/* The driver should have ended its job, so it is killed; lib/reaper.c then ends the job. But the
 * RESULT may be there, unread, after much else: a driver's output and its socket hold less than
 * RECEIVES_FOR_RESULT reads take. The driver may even have taken another job since; then the
 * deadline is that job's, and is not over. And if we were stopped, like all processes of a
 * container, the driver may have been stopped, too: then job_gets_time(). */
void
driver_job_timed_out(struct driver *driver)
{
    for (int i = 0; i < RECEIVES_FOR_RESULT && driver_receive(driver); i++)
        ;
    if (!deadline_is_set(&driver->job_deadline) || driver->job_deadline.at_ns > clock_turn_ns ||
        job_gets_time(driver))
        return;
    deadline_stop(&driver->job_deadline);
    driver->job_overdue = true;
    driver_condemn(driver, "did not end its job in time");
}

void
driver_start_timed_out(struct driver *driver)
{
    if (driver_receive(driver))
        return;
    driver->birth_failure = OUTCOME_LATE_BORN;
    driver_condemn(driver, "did not come up in %s s", options.start_timeout);
}

/*
 * Drivers that keep to the protocol, as lib/job_tree.c and driver.c do: a job is taken by a STATE
 * that is on its way before the driver looks at the clock, and only then begins. They know which jobs have
 * begun, so that no job can begin twice, and none that has begun can be called unrun; nor cancelled or
 * timeout, unless its driver says so, since the server finds no process of a job here. They also know
 * the half lines of clients that have died, so that none of these can be run.
 */
#ifndef HONEST_H
#define HONEST_H

#include "world.h"

enum {
    HONEST_JOBS = 4096,  /* numbers of jobs that are followed */
    HONEST_HALVES = 256, /* half lines that are followed */
};

static struct honest {
    pid_t pid; /* whose state this is; 0: nobody's yet */
    unsigned char input[PROTO_FRAME_MAX + PROTO_TEXT_MAX];
    size_t size;
    enum proto_work work;
    uint32_t id; /* of the TASK or RUN */
    uint64_t job, expires_ns;
    bool begun, cancelled, exits;
} honest[FUZZ_DRIVERS];

static bool honest_begun[HONEST_JOBS], honest_cancelled[HONEST_JOBS];
static bool honest_dead[HONEST_HALVES]; /* the client of the job "half N" died before its newline */

/* Says a frame. A driver whose socket does not take it gives up. */
static void
honest_say(struct fuzz_driver *driver, enum proto_type type, uint32_t id, const void *body,
           size_t size)
{
    unsigned char data[PROTO_FRAME_MAX];
    struct proto_header header = proto_header(PROTO_FROM_DRIVER, type, id);

    memcpy(data, &header, sizeof(header));
    memcpy(data + sizeof(header), body, size);
    size += sizeof(header);
    if (driver->socket >= 0 &&
        send(driver->socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        fuzz_die(driver, 1 << 8);
}

static void
honest_answer(struct fuzz_driver *driver, const struct honest *self, uint32_t id,
              enum proto_refusal refusal)
{
    struct proto_state state = {.work = (uint8_t)self->work,
                                .refusal = (uint8_t)refusal,
                                .remaining_ms = self->work != PROTO_FREE ? 1000 : 0};

    honest_say(driver, PROTO_STATE, id, &state, sizeof(state));
}

/* Reports the end of the job or task. */
static void
honest_end(struct fuzz_driver *driver, struct honest *self, struct proto_result result)
{
    uint32_t outcome = self->cancelled ? PROTO_CANCELLED : PROTO_DONE;

    if (self->work == PROTO_ON_JOB && self->job < HONEST_JOBS)
        honest_cancelled[self->job] = result.outcome == PROTO_CANCELLED;
    if (self->work == PROTO_ON_JOB)
        honest_say(driver, PROTO_RESULT, self->id, &result, sizeof(result));
    else if (self->work == PROTO_ON_TASK)
        honest_say(driver, PROTO_END, 0, &outcome, sizeof(outcome));
    self->work = PROTO_FREE;
    if (self->exits && !driver->dead)
        fuzz_die(driver, 0);
}

/* The job begins, if it may; way says whether BEGUN is sent, or whether it cannot be started. */
static void
honest_begin(struct fuzz_driver *driver, struct honest *self, unsigned way)
{
    uint32_t pid = 100000;

    if (self->cancelled) {
        honest_end(driver, self, (struct proto_result){.outcome = PROTO_CANCELLED});
    } else if ((uint64_t)fuzz_now_ns >= self->expires_ns) {
        honest_end(driver, self,
                   (struct proto_result){.outcome = PROTO_UNRUN, .cause = PROTO_CAUSE_LATE});
    } else if (way % 4 == 0) {
        honest_end(driver, self,
                   (struct proto_result){
                       .outcome = PROTO_UNRUN, .cause = PROTO_CAUSE_START, .status = EAGAIN});
    } else {
        assert(!honest_begun[self->job % HONEST_JOBS] || self->job >= HONEST_JOBS);
        honest_begun[self->job % HONEST_JOBS] = self->job < HONEST_JOBS;
        self->begun = true;
        if (way % 4 != 1)
            honest_say(driver, PROTO_BEGUN, self->id, &pid, sizeof(pid));
    }
}

/* Half a line of a client that has died is not run. */
static void
honest_check_job(const struct honest *self, const struct proto_frame *frame)
{
    char text[16];
    size_t size = 0;
    const char *at = proto_text(self->input, frame, &size);
    unsigned half;

    if (size >= sizeof(text))
        return;
    memcpy(text, at, size);
    text[size] = '\0';
    assert(sscanf(text, "half %u", &half) != 1 || half >= HONEST_HALVES || !honest_dead[half]);
}

static void
honest_handle(struct fuzz_driver *driver, struct honest *self, const struct proto_frame *frame)
{
    bool run = frame->header.type == PROTO_RUN;
    struct proto_run job = run ? proto_run(self->input) : (struct proto_run){.job = 0};
    uint64_t expires_ns = run ? job.expires_ns : frame->task.expires_ns;
    enum proto_refusal refusal = PROTO_OK;

    if (run)
        honest_check_job(self, frame);
    switch (frame->header.type) {
    case PROTO_TASK:
    case PROTO_RUN:
        if ((uint64_t)fuzz_now_ns >= expires_ns) {
            refusal = PROTO_REFUSED_LATE;
        } else if (self->work != PROTO_FREE) {
            refusal = PROTO_REFUSED_BUSY;
        } else {
            self->work = run ? PROTO_ON_JOB : PROTO_ON_TASK;
            self->id = frame->header.id;
            self->job = job.job;
            self->expires_ns = expires_ns;
            self->begun = self->cancelled = false;
        }
        break;
    case PROTO_CANCEL:
        if (self->work == PROTO_FREE ||
            (frame->cancel.task_id != 0 && frame->cancel.task_id != self->id)) {
            refusal = PROTO_REFUSED_FREE;
        } else {
            self->cancelled = true;
            if (self->work == PROTO_ON_TASK)
                honest_end(driver, self, (struct proto_result){0});
        }
        break;
    case PROTO_EXIT:
        self->exits = self->cancelled = true;
        if (self->work != PROTO_ON_JOB)
            honest_end(driver, self, (struct proto_result){0});
        return;
    default:
        break;
    }
    honest_answer(driver, self, frame->header.id, refusal);
}

/* Reads a request, if there is one, and answers it. */
static void
honest_read(struct fuzz_driver *driver, struct honest *self)
{
    struct proto_frame frame;
    ssize_t n = recv(driver->socket, self->input + self->size, sizeof(self->input) - self->size,
                     MSG_DONTWAIT);

    if (n > 0)
        self->size += (size_t)n;
    enum proto_verdict verdict = proto_decode(PROTO_FROM_SERVER, self->input, self->size, &frame);
    assert(verdict == PROTO_COMPLETE || verdict == PROTO_INCOMPLETE);
    if (verdict == PROTO_INCOMPLETE) {
        if (n == 0) /* the server wants nothing more */
            fuzz_die(driver, 0);
        return;
    }
    honest_handle(driver, self, &frame);
    self->size -= proto_size(&frame);
    memmove(self->input, self->input + proto_size(&frame), self->size);
}

/* The driver takes its next step. Where there is a choice, the byte makes it. */
static void
honest_step(struct fuzz_driver *driver, unsigned choice)
{
    struct honest *self = &honest[driver - fuzz_drivers];
    uint32_t pid = (uint32_t)driver->pid;

    if (driver->pid == 0 || driver->dead || driver->socket < 0)
        return;
    if (self->pid != driver->pid) {
        *self = (struct honest){.pid = driver->pid};
        honest_say(driver, PROTO_HELLO, 0, &pid, sizeof(pid));
    } else if (self->work == PROTO_ON_JOB && !self->begun) {
        honest_begin(driver, self, choice / 2); /* it reads nothing before that */
    } else if (choice % 2 != 0 || self->work == PROTO_FREE) {
        honest_read(driver, self);
    } else {
        honest_end(driver, self,
                   (struct proto_result){
                       .outcome = self->cancelled ? PROTO_CANCELLED : PROTO_EXITED,
                       .status = self->cancelled ? 0 : choice / 2 % 2,
                       .left = choice / 4 % 2,
                       .elapsed_us = 1,
                   });
    }
}

static bool
honest_begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* A line of a reply. */
static void
honest_hear(const char *line)
{
    unsigned long job;
    char *end;

    if (strncmp(line, "Job ", 4) != 0)
        return;
    job = strtoul(line + 4, &end, 10);
    if (job >= HONEST_JOBS || !honest_begun[job])
        return;
    assert(!honest_begins_with(end, " Done unrun "));
    assert(!honest_begins_with(end, " Done timeout"));
    assert(!honest_begins_with(end, " Done cancelled") || honest_cancelled[job]);
}

static void
honest_world_begin(void)
{
    memset(honest, 0, sizeof(honest));
    memset(honest_begun, 0, sizeof(honest_begun));
    memset(honest_cancelled, 0, sizeof(honest_cancelled));
    memset(honest_dead, 0, sizeof(honest_dead));
}

#endif

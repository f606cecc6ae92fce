/*
 * puppet STEP...: a driver, for tests, that follows a script. Each step is one word. After the last
 * step it exits with status 0.
 *
 *     hello                      send HELLO
 *     take:TYPE                  read requests up to one of that type, see proto.h
 *     state:WORK:REFUSAL:MS      answer the last request that was taken
 *     id:N                       use N as the number of the last request and RUN
 *     again                      send the last frame again
 *     end:OUTCOME                send END
 *     begun:PID                  send the BEGUN of the last RUN
 *     result:OUTCOME:STATUS      send the RESULT of the last RUN
 *     unrun:CAUSE:STATUS         the same, with the outcome PROTO_UNRUN
 *     answer:COUNT               read COUNT requests, and answer each: not busy
 *     cancels:ID                 read a CANCEL, which must be for that task; else exit with status 8
 *     child:FILE                 start a process in its own session, and write its pid to FILE;
 *                                in later steps, C as a number is that pid
 *     write:TEXT                 write TEXT and a newline to standard error
 *     did:FILE, await:FILE       create FILE; wait until there is FILE
 *     shut                       close the socket
 *     exit:STATUS                exit
 *     pause                      wait forever
 */
#include "../../proto.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned char input[64 * 1024];
static size_t input_size;
static uint32_t request_id, run_id, cancelled_id;
static pid_t child;
static unsigned char last[PROTO_FRAME_MAX];
static size_t last_size;

static void
say_last(void)
{
    struct pollfd room = {.fd = PROTO_FD, .events = POLLOUT};

    /* A socket that poll(2) calls writable takes a whole frame. */
    if (poll(&room, 1, -1) < 0 || write(PROTO_FD, last, last_size) != (ssize_t)last_size)
        _exit(9);
}

static void
say(enum proto_type type, uint32_t id, const void *body, size_t size)
{
    struct proto_header header = proto_header(PROTO_FROM_DRIVER, type, id);

    memcpy(last, &header, sizeof(header));
    memcpy(last + sizeof(header), body, size);
    last_size = sizeof(header) + size;
    say_last();
}

/* Takes the next request. Returns its type. */
static unsigned
take(void)
{
    struct pollfd more = {.fd = PROTO_FD, .events = POLLIN};
    struct proto_frame frame;

    while (proto_decode(PROTO_FROM_SERVER, input, input_size, &frame) != PROTO_COMPLETE) {
        ssize_t n = read(PROTO_FD, input + input_size, sizeof(input) - input_size);
        if (n == 0)
            _exit(0); /* the server is gone */
        if (n < 0 && errno != EAGAIN)
            _exit(9);
        if (n < 0)
            poll(&more, 1, -1);
        else
            input_size += (size_t)n;
    }
    input_size -= proto_size(&frame);
    memmove(input, input + proto_size(&frame), input_size);
    request_id = frame.header.id;
    if (frame.header.type == PROTO_RUN)
        run_id = request_id;
    if (frame.header.type == PROTO_CANCEL)
        cancelled_id = frame.cancel.task_id;
    return frame.header.type;
}

static void
state(unsigned work, unsigned refusal, uint64_t left_ms)
{
    struct proto_state body = {
        .work = (uint8_t)work, .refusal = (uint8_t)refusal, .remaining_ms = left_ms};

    say(PROTO_STATE, request_id, &body, sizeof(body));
}

static void
result(uint32_t outcome, uint32_t cause, uint32_t status)
{
    struct proto_result body = {.outcome = outcome, .cause = cause, .status = status};

    if (outcome != PROTO_UNRUN)
        body.elapsed_us = body.maxrss_kb = 1;
    say(PROTO_RESULT, run_id, &body, sizeof(body));
}

static void
file_write(const char *path, pid_t pid)
{
    char new[4096];
    FILE *file;

    snprintf(new, sizeof(new), "%s.new", path);
    file = fopen(new, "w");
    if (file == NULL || fprintf(file, "%d\n", pid) < 0 || fclose(file) != 0 ||
        rename(new, path) < 0)
        err(9, "%s", path);
}

static void
child_start(const char *path)
{
    child = fork();
    if (child == 0) {
        close(PROTO_FD);
        setsid();
        file_write(path, getpid());
        for (;;)
            pause();
    }
    while (access(path, F_OK) < 0)
        poll(NULL, 0, 5);
}

/* Returns the number after the step's next colon, and moves *step to it. */
static uint64_t
number(char **step)
{
    char *colon = strchr(*step, ':');

    if (colon == NULL)
        errx(9, "a number is missing: %s", *step);
    *step = colon + 1;
    if (colon[1] == 'C')
        return (uint64_t)(uint32_t)child;
    return strtoul(colon + 1, NULL, 10);
}

static void
perform(char *step)
{
    const char *colon = strchr(step, ':'), *word = colon != NULL ? colon + 1 : "";
    size_t size = colon != NULL ? (size_t)(colon - step) : strlen(step);
    uint32_t pair[2] = {(uint32_t)getpid(), 0};

#define STEP_IS(name) (size == strlen(name) && memcmp(step, name, size) == 0)
    if (STEP_IS("hello")) {
        say(PROTO_HELLO, 0, pair, sizeof(pair[0]));
    } else if (STEP_IS("take")) {
        for (unsigned type = (unsigned)number(&step); take() != type;)
            ;
    } else if (STEP_IS("state")) {
        unsigned work = (unsigned)number(&step), refusal = (unsigned)number(&step);
        state(work, refusal, number(&step));
    } else if (STEP_IS("id")) {
        request_id = run_id = (uint32_t)number(&step);
    } else if (STEP_IS("again")) {
        say_last();
    } else if (STEP_IS("end")) {
        pair[0] = (uint32_t)number(&step);
        say(PROTO_END, 0, pair, sizeof(pair[0]));
    } else if (STEP_IS("result")) {
        uint32_t outcome = (uint32_t)number(&step);
        result(outcome, PROTO_CAUSE_NONE, (uint32_t)number(&step));
    } else if (STEP_IS("unrun")) {
        uint32_t cause = (uint32_t)number(&step);
        result(PROTO_UNRUN, cause, (uint32_t)number(&step));
    } else if (STEP_IS("begun")) {
        pair[0] = (uint32_t)number(&step);
        say(PROTO_BEGUN, run_id, pair, sizeof(pair[0]));
    } else if (STEP_IS("answer")) {
        for (uint64_t left = number(&step); left > 0; left--) {
            take();
            state(PROTO_FREE, PROTO_OK, 0);
        }
    } else if (STEP_IS("cancels")) {
        if (take() != PROTO_CANCEL || cancelled_id != number(&step))
            _exit(8);
    } else if (STEP_IS("child")) {
        child_start(word);
    } else if (STEP_IS("write")) {
        dprintf(STDERR_FILENO, "%s\n", word);
    } else if (STEP_IS("did")) {
        file_write(word, getpid());
    } else if (STEP_IS("await")) {
        while (access(word, F_OK) < 0)
            poll(NULL, 0, 5);
    } else if (STEP_IS("shut")) {
        close(PROTO_FD);
    } else if (STEP_IS("exit")) {
        _exit((int)number(&step));
    } else if (STEP_IS("pause")) {
        for (;;)
            pause();
    } else {
        errx(9, "no such step: %s", step);
    }
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        perform(argv[i]);
    return 0;
}

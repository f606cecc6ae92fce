/*
 * proto.h: what the server and a driver say to each other.
 *
 * They talk over an AF_UNIX stream socketpair; the driver's end is its descriptor 3, and is
 * nonblocking. A message is a frame: a header of fixed width, then a body whose size follows from
 * the type. Both ends run on one machine, so the byte order is that machine's. Neither side trusts
 * the other: everything that arrives goes through proto_decode(), and a frame that proto_decode()
 * refuses ends the conversation.
 *
 *     server                            driver
 *       |  <------------------ HELLO      |    once, before anything else: I am up, this is my pid
 *       |  TASK, STATUS, CANCEL ------>   |    a request, numbered 1, 2, 3, ... by the server
 *       |  RUN ----------------------->   |    the same: run a job, in place of a task
 *       |  <------------------ STATE      |    its answer: one for each, in order, same number
 *       |  <------------------ END        |    unasked: the task has ended; before any later STATE
 *       |  <------------------ BEGUN      |    the job runs, as this process; may be left out
 *       |  <------------------ RESULT     |    the job has ended; before any later STATE
 *       |  EXIT ---------------------->   |    no answer except an END or RESULT, if there is
 *       |                                 |    a task or job, and then the end of the socket
 *
 * A job is taken before it begins. The driver sends the STATE that answers a RUN, with nothing left
 * unsent, then looks at the clock, and begins only if expires_ns has not passed; otherwise RESULT
 * says PROTO_UNRUN. So if the server reads the socket once more after expires_ns and finds no
 * STATE, or if the driver has died and what it said has no STATE, the job has not begun, and may be
 * given to another driver.
 *
 * BEGUN tells the job's pid. The server needs it to find what is left of the job if the driver
 * dies, and that may be the job's doing. If the server has other children that it must not take for
 * the job's, it says PROTO_RUN_TELL. Otherwise BEGUN may come later, with RESULT, or not at all.
 *
 * The CANCEL of a job is answered while the job is still being ended, so that STATE says busy; the
 * RESULT then reports the end of the job. Only a RUN has text, which follows its body: the job's
 * command line or, with PROTO_RUN_WORDS, its words.
 *
 * This file defines the format and nothing else: no I/O, no state, no logging.
 */
#ifndef PROTO_H
#define PROTO_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    PROTO_VERSION = 3,
    PROTO_FD = 3, /* the driver's end of the socketpair */
    PROTO_PID_MAX = INT32_MAX,
    PROTO_ERRNO_MAX = 4095, /* the kernel's MAX_ERRNO */
};

/* The longest task, and the longest time that a RUN can name: 365 days. */
#define PROTO_TASK_MAX_MS UINT64_C(31536000000)

enum proto_type {
    /* from the server to a driver */
    PROTO_TASK = 1,   /* struct proto_task: be busy for that long */
    PROTO_STATUS = 2, /* no body: what is your state? */
    PROTO_CANCEL = 3, /* struct proto_cancel: end your task or job */
    PROTO_EXIT = 4,   /* no body, no answer: end your task or job, then exit */
    PROTO_RUN = 5,    /* struct proto_run, then text: run that job */
    /* from a driver to the server */
    PROTO_HELLO = 65,  /* struct proto_hello */
    PROTO_STATE = 66,  /* struct proto_state; header.id is the request's */
    PROTO_END = 67,    /* struct proto_end */
    PROTO_RESULT = 68, /* struct proto_result; header.id is the RUN's */
    PROTO_BEGUN = 69,  /* struct proto_begun; header.id is the RUN's */
};

/* Who sent a frame, which determines the types that it may have. */
enum proto_sender {
    PROTO_FROM_SERVER,
    PROTO_FROM_DRIVER,
};

/* Why a request was refused; PROTO_OK if it was not. */
enum proto_refusal {
    PROTO_OK = 0,
    PROTO_REFUSED_BUSY = 1, /* to TASK, RUN: busy with another task or job, which goes on */
    PROTO_REFUSED_FREE = 2, /* to CANCEL: that task or job is not running */
    PROTO_REFUSED_LATE = 3, /* to TASK, RUN: the driver read it after expires_ns */
};

/* What a driver is busy with. */
enum proto_work {
    PROTO_FREE = 0,
    PROTO_ON_TASK = 1,
    PROTO_ON_JOB = 2, /* from the STATE that takes it until its RESULT */
};

enum proto_run_flag {
    PROTO_RUN_FILES = 1, /* it writes to files; otherwise to the driver's standard error */
    PROTO_RUN_TELL = 2,  /* BEGUN must be sent before the job can do anything, see above */
    PROTO_RUN_WORDS = 4, /* the text is words, the first one a program: no shell may see them */
    PROTO_RUN_FLAGS = PROTO_RUN_FILES | PROTO_RUN_TELL | PROTO_RUN_WORDS,
};

enum proto_outcome {
    PROTO_DONE = 1,      /* the task ran for its whole time */
    PROTO_CANCELLED = 2, /* the task or job was ended because somebody asked for it */
    PROTO_EXITED = 3,    /* the job's first process exited: status is its exit status */
    PROTO_SIGNALLED = 4, /* it was killed by a signal that we did not send: status is its number */
    PROTO_TIMED_OUT = 5, /* the job was ended at its time limit */
    PROTO_UNRUN = 6,     /* the job was taken, but has not begun: see cause */
};

/* Why a job has not begun. */
enum proto_cause {
    PROTO_CAUSE_NONE = 0,  /* it has */
    PROTO_CAUSE_LATE = 1,  /* expires_ns had passed when the STATE was sent */
    PROTO_CAUSE_OUT = 2,   /* its file for standard output cannot be created; status is the errno */
    PROTO_CAUSE_ERR = 3,   /* the same for standard error */
    PROTO_CAUSE_START = 4, /* its process cannot be started; status is the errno */
};

struct proto_header {
    uint8_t version; /* PROTO_VERSION */
    uint8_t type;    /* enum proto_type */
    uint16_t length; /* size of the body and the text, without this header, in bytes */
    uint32_t id;     /* the request's number, above 0; 0 in HELLO, END and EXIT */
};

struct proto_task {
    uint64_t duration_ms; /* 1 to PROTO_TASK_MAX_MS */
    uint64_t expires_ns;  /* on CLOCK_MONOTONIC: after this, the driver must refuse it */
};

struct proto_cancel {
    uint32_t task_id; /* number of the TASK or RUN to end; 0: whatever is running */
};

/* The text that follows is the job's command line, without a zero byte; with PROTO_RUN_WORDS, its
 * words, each with a zero byte at its end. It has at most PROTO_TEXT_MAX bytes. */
struct proto_run {
    uint64_t limit_ms;  /* 1 to PROTO_TASK_MAX_MS: then the job is asked to end (TERM) */
    uint64_t grace_ms;  /* the same range: this much later it is killed */
    uint64_t linger_ms; /* 0 to PROTO_TASK_MAX_MS: what its first process leaves may stay so long */
    uint64_t expires_ns; /* as in struct proto_task; the job must not begin after this */
    uint64_t job;        /* its number, above 0: TAXI_JOB, and in the names of its output files */
    uint32_t slot;       /* above 0: TAXI_SLOT */
    uint32_t flags;      /* of enum proto_run_flag */
};

struct proto_hello {
    uint32_t pid; /* the driver's own */
};

struct proto_state {
    uint8_t work;          /* enum proto_work */
    uint8_t refusal;       /* enum proto_refusal */
    uint16_t reserved[3];  /* 0 */
    uint64_t remaining_ms; /* rounded up; above 0 if and only if the driver is busy */
};

struct proto_end {
    uint32_t outcome; /* enum proto_outcome: PROTO_DONE or PROTO_CANCELLED */
};

struct proto_begun {
    uint32_t pid; /* of the job's first process, which leads its session */
};

struct proto_result {
    uint32_t outcome;    /* enum proto_outcome, but not PROTO_DONE */
    uint32_t status;     /* PROTO_EXITED: 0 to 255; PROTO_SIGNALLED: 1 to 127; see also enum
                       * proto_cause; otherwise 0 */
    uint32_t cause;      /* enum proto_cause; above 0 if and only if PROTO_UNRUN */
    uint32_t left;       /* how many processes were still there after linger_ms */
    uint64_t elapsed_us; /* from the start of the job to the end of its last process */
    /* Used by the first process and the children that it waited for, wait4(2): CPU time, memory. */
    uint64_t user_us;
    uint64_t system_us;
    uint64_t maxrss_kb;
};

static_assert(sizeof(struct proto_header) == 8, "wire size");
static_assert(sizeof(struct proto_task) == 16, "wire size");
static_assert(sizeof(struct proto_cancel) == 4, "wire size");
static_assert(sizeof(struct proto_hello) == 4, "wire size");
static_assert(sizeof(struct proto_state) == 16, "wire size");
static_assert(sizeof(struct proto_end) == 4, "wire size");
static_assert(sizeof(struct proto_run) == 48, "wire size");
static_assert(sizeof(struct proto_begun) == 4, "wire size");
static_assert(sizeof(struct proto_result) == 48, "wire size");

/*
 * A whole frame, in memory as on the wire. The long bodies of RUN and RESULT are not in it;
 * proto_run() and proto_result() copy them from the data that the frame was decoded from.
 */
struct proto_frame {
    struct proto_header header;
    union {
        struct proto_task task;
        struct proto_cancel cancel;
        struct proto_hello hello;
        struct proto_state state;
        struct proto_end end;
        struct proto_begun begun;
    };
};

static_assert(sizeof(struct proto_frame) == 24, "wire size");
static_assert(offsetof(struct proto_frame, task) == sizeof(struct proto_header), "no padding");

enum {
    PROTO_FRAME_MAX = sizeof(struct proto_header) + sizeof(struct proto_result), /* without text */
    /* Room for two of the longest names of --each. A server must be able to put the whole command
     * into a block of 64 KiB, as JSON, in which a byte may become six. */
    PROTO_TEXT_MAX = 10240,
};

/* Returns the size of the body, without text, of a frame of that type, in bytes, or -1 if the
 * sender has no such frame. */
static inline int
proto_body_size(enum proto_sender sender, uint8_t type)
{
    enum {
        FIRST = PROTO_HELLO
    }; /* the lowest type from a driver */
    /* Each is the size plus 1, so that 0 means that there is no such type. */
    static const uint8_t from_server[] = {
        [PROTO_TASK] = 1 + sizeof(struct proto_task),     [PROTO_STATUS] = 1,
        [PROTO_CANCEL] = 1 + sizeof(struct proto_cancel), [PROTO_EXIT] = 1,
        [PROTO_RUN] = 1 + sizeof(struct proto_run),
    };
    static const uint8_t from_driver[] = {
        [PROTO_HELLO - FIRST] = 1 + sizeof(struct proto_hello),
        [PROTO_STATE - FIRST] = 1 + sizeof(struct proto_state),
        [PROTO_END - FIRST] = 1 + sizeof(struct proto_end),
        [PROTO_RESULT - FIRST] = 1 + sizeof(struct proto_result),
        [PROTO_BEGUN - FIRST] = 1 + sizeof(struct proto_begun),
    };

    if (sender == PROTO_FROM_SERVER)
        return type < sizeof(from_server) ? from_server[type] - 1 : -1;
    unsigned index = (unsigned)type - FIRST; /* a large number if type is below FIRST */
    return index < sizeof(from_driver) ? from_driver[index] - 1 : -1;
}

/* Return the body of a RUN or of a RESULT; the frame, with its header, begins at data. */
static inline struct proto_run
proto_run(const void *data)
{
    struct proto_run run;

    memcpy(&run, (const char *)data + sizeof(struct proto_header), sizeof(run));
    return run;
}

static inline struct proto_result
proto_result(const void *data)
{
    struct proto_result result;

    memcpy(&result, (const char *)data + sizeof(struct proto_header), sizeof(result));
    return result;
}

static inline bool
proto_state_valid(const struct proto_state *state)
{
    const uint16_t *reserved = state->reserved;

    if (state->work > PROTO_ON_JOB || state->refusal > PROTO_REFUSED_LATE ||
        (reserved[0] | reserved[1] | reserved[2]) != 0)
        return false;
    if (state->work != PROTO_FREE)
        return state->remaining_ms >= 1 && state->remaining_ms <= PROTO_TASK_MAX_MS;
    return state->remaining_ms == 0;
}

/* Whether the status, cause and number of those left fit a job that has not begun. */
static inline bool
proto_unrun_valid(struct proto_result result)
{
    bool late = result.cause == PROTO_CAUSE_LATE;

    return result.cause >= PROTO_CAUSE_LATE && result.cause <= PROTO_CAUSE_START &&
           late == (result.status == 0) && result.status <= PROTO_ERRNO_MAX && result.left == 0;
}

static inline bool
proto_result_valid(struct proto_result result)
{
    enum proto_outcome outcome = result.outcome;

    if (outcome != PROTO_UNRUN && result.cause != PROTO_CAUSE_NONE)
        return false;
    switch (outcome) {
    case PROTO_EXITED:
        return result.status <= 255;
    case PROTO_SIGNALLED:
        return result.status >= 1 && result.status <= 127;
    case PROTO_CANCELLED:
    case PROTO_TIMED_OUT:
        return result.status == 0;
    case PROTO_UNRUN:
        return proto_unrun_valid(result);
    case PROTO_DONE: /* only a task ends so */
        break;
    }
    return false;
}

static inline bool
proto_ms_valid(uint64_t ms)
{
    return ms >= 1 && ms <= PROTO_TASK_MAX_MS;
}

/* Checks the text of a RUN, which has at least one byte. */
static inline bool
proto_run_text_valid(uint32_t flags, const char *text, size_t size)
{
    return (flags & PROTO_RUN_WORDS) != 0 ? text[size - 1] == '\0'
                                          : memchr(text, '\0', size) == NULL;
}

/* Checks a RUN whose frame begins at data and whose text has text_size bytes. */
static inline bool
proto_run_valid(const void *data, size_t text_size)
{
    struct proto_run run = proto_run(data);
    const char *text = (const char *)data + sizeof(struct proto_header) + sizeof(run);

    return proto_ms_valid(run.limit_ms) && proto_ms_valid(run.grace_ms) &&
           run.linger_ms <= PROTO_TASK_MAX_MS && run.job != 0 && run.slot != 0 &&
           run.flags <= PROTO_RUN_FLAGS && proto_run_text_valid(run.flags, text, text_size);
}

static inline bool
proto_body_valid(const struct proto_frame *frame, const void *data)
{
    enum proto_type type = frame->header.type;

    switch (type) {
    case PROTO_TASK:
        return proto_ms_valid(frame->task.duration_ms);
    case PROTO_STATE:
        return proto_state_valid(&frame->state);
    case PROTO_END:
        return frame->end.outcome == PROTO_DONE || frame->end.outcome == PROTO_CANCELLED;
    case PROTO_BEGUN:
        return frame->begun.pid >= 1 && frame->begun.pid <= PROTO_PID_MAX;
    case PROTO_RUN:
        return proto_run_valid(data, frame->header.length - sizeof(struct proto_run));
    case PROTO_RESULT:
        return proto_result_valid(proto_result(data));
    case PROTO_STATUS: /* these have no body that could be invalid */
    case PROTO_CANCEL:
    case PROTO_EXIT:
    case PROTO_HELLO:
        break;
    }
    return true;
}

/* Requests and what answers them or reports the end of a job have a number. */
static inline bool
proto_id_valid(const struct proto_header *header)
{
    bool numbered =
        header->type != PROTO_HELLO && header->type != PROTO_END && header->type != PROTO_EXIT;

    return numbered == (header->id != 0);
}

enum proto_verdict {
    PROTO_COMPLETE,   /* *frame is set */
    PROTO_INCOMPLETE, /* more bytes are needed */
    PROTO_BAD_VERSION,
    PROTO_BAD_TYPE,
    PROTO_BAD_LENGTH,
    PROTO_BAD_ID,
    PROTO_BAD_BODY, /* or bad text */
};

/* Whether a frame of that type may have text of that size. */
static inline bool
proto_text_size_valid(uint8_t type, int size)
{
    return type == PROTO_RUN ? size >= 1 && size <= PROTO_TEXT_MAX : size == 0;
}

/*
 * The only decoder. Decodes the frame that begins at data into *frame; size bytes are there, which
 * may be less or more than the frame. A complete frame is proto_size() bytes long; its text, if it
 * has any, is still at data, see proto_text(). After a PROTO_BAD_* verdict, frame->header is what
 * was there.
 */
static inline enum proto_verdict
proto_decode(enum proto_sender sender, const void *data, size_t size, struct proto_frame *frame)
{
    const size_t head = sizeof(frame->header);

    if (size < head)
        return PROTO_INCOMPLETE;
    if (size >= sizeof(*frame))
        memcpy(frame, data, sizeof(*frame)); /* copying a fixed size is faster */
    else
        memcpy(frame, data, size);
    if (frame->header.version != PROTO_VERSION)
        return PROTO_BAD_VERSION;
    int body = proto_body_size(sender, frame->header.type);
    if (body < 0)
        return PROTO_BAD_TYPE;
    int text = (int)frame->header.length - body;
    if (!proto_text_size_valid(frame->header.type, text))
        return PROTO_BAD_LENGTH;
    if (!proto_id_valid(&frame->header))
        return PROTO_BAD_ID;
    if (size < head + frame->header.length)
        return PROTO_INCOMPLETE;
    return proto_body_valid(frame, data) ? PROTO_COMPLETE : PROTO_BAD_BODY;
}

/* Returns a frame's size on the wire, in bytes, including its text. */
static inline size_t
proto_size(const struct proto_frame *frame)
{
    return sizeof(frame->header) + frame->header.length;
}

/* Returns the text of a RUN, which was decoded from data; *size is its length in bytes. */
static inline const char *
proto_text(const void *data, const struct proto_frame *frame, size_t *size)
{
    *size = frame->header.length - sizeof(struct proto_run);
    return (const char *)data + sizeof(frame->header) + sizeof(struct proto_run);
}

/* Returns the header of a frame that sender is about to send. Its length does not include text. */
static inline struct proto_header
proto_header(enum proto_sender sender, enum proto_type type, uint32_t id)
{
    return (struct proto_header){
        .version = PROTO_VERSION,
        .type = (uint8_t)type,
        .length = (uint16_t)proto_body_size(sender, (uint8_t)type),
        .id = id,
    };
}

#endif

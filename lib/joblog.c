#include "joblog.h"

#include "clock.h"
#include "json.h"
#include "log.h"
#include "options.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TAIL_MAX = 2 * BLOCK_SIZE,    /* a whole line, and the beginning of one */
    ZEROS_MAX = 16 * 1024 * 1024, /* far more than is written between two writebacks */
    TIME_SIZE = sizeof("2026-01-31T23:59:59.123Z") - 1,
    LOG_LOCK_WAIT_MS = 1000,
    LOG_LOCK_RETRY_MS = 20,
};

static struct {
    int fd; /* -1: no log is kept */
    bool failed;
    bool first;    /* the next job is the first of a new batch, after jobs of other servers */
    uint64_t was;  /* the number that the next job had before, see joblog_was(); else 0 */
    off_t whole;   /* the size of the file when it was opened, without a torn line at the end */
    time_t second; /* what second_text shows */
    char second_text[sizeof("2026-01-31T23:59:59")];
} joblog = {.fd = -1};

/* A line that is being made. The longest command takes 60 KiB of it, see TEXT_BYTE_MAX. */
static char block[BLOCK_SIZE];

static void
joblog_failed(void)
{
    log_line("cannot write the log %s: %s", options.log_path, strerror(errno));
    joblog.failed = true;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Returns why a file must not be the log, or NULL. If others could write the file, they could forge
 * what it says. If it has a second name, another user may have made that name, to have us append to
 * a file of ours. */
static const char *
file_refusal(int fd)
{
    struct stat file;

    if (fstat(fd, &file) < 0)
        return strerror(errno);
    if (!S_ISREG(file.st_mode))
        return "it is no regular file";
    if (file.st_uid != geteuid())
        return "it is another user's";
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others can write it (try chmod go-w)";
    return file.st_nlink != 1 ? "it has another name, too" : NULL;
}

static const char *
format_refusal(const char *line)
{
    if ((line[0] == '{') == options.json)
        return "it is no log of jobs";
    return options.json ? "it is not in JSON" : "it is in JSON (try --json)";
}

/* Whether a job that was submitted can be given to a driver, as it is in the log. */
static bool
can_run(const struct entry *entry)
{
    const struct span *command = &entry->command;

    return entry->ms > 0 && entry->ms <= PROTO_TASK_MAX_MS && command->size > 0 &&
           command->size <= PROTO_TEXT_MAX && memchr(command->at, '\0', command->size) == NULL;
}

static bool
line_parse(char *line, size_t size, struct entry *entry)
{
    bool valid =
        options.json ? entry_parse_json(line, size, entry) : entry_parse(line, size, entry);

    return valid && (!entry->submitted || can_run(entry));
}

/* A power failure may leave zero bytes in the place of the last lines. Returns the size of the file
 * without them; 0 if there is nothing else, or if there are more than ZEROS_MAX; -1 on failure.
 * tail has room for TAIL_MAX bytes. */
static off_t
size_without_zeros(int fd, char *tail)
{
    off_t size = lseek(fd, 0, SEEK_END), least = size - ZEROS_MAX;
    size_t room = 0;

    while (room == 0 && size > 0) {
        if (size < least)
            return 0;
        room = size < TAIL_MAX ? (size_t)size : TAIL_MAX;
        if (pread(fd, tail, room, size - (off_t)room) != (ssize_t)room)
            return -1;
        for (; room > 0 && tail[room - 1] == '\0'; room--)
            size--;
    }
    return size;
}

/* Looks at the end of the file: it must be a line of a log of jobs, unless the file is empty. A
 * server that was killed, or a full disk, may have left the beginning of a line after it; *whole is
 * the size of the file without that. Returns why the file must not be the log, or NULL. */
static const char *
tail_refusal(int fd, off_t *whole)
{
    static char tail[TAIL_MAX];
    off_t size = size_without_zeros(fd, tail);
    size_t room = size < TAIL_MAX ? (size_t)size : TAIL_MAX;
    struct entry entry;

    if (size < 0 || pread(fd, tail, room, size - (off_t)room) != (ssize_t)room)
        return strerror(errno);
    if (size == 0 && lseek(fd, 0, SEEK_END) > 0)
        return format_refusal("");
    char *end = memrchr(tail, '\n', room), *torn = end != NULL ? end + 1 : tail;
    *whole = size - (tail + room - torn);
    if ((end == NULL && size > TAIL_MAX) ||
        !entry_begins(torn, (size_t)(tail + room - torn), options.json))
        return format_refusal(torn);
    if (end == NULL) /* what is shorter than a time may be anything, such as a number */
        return room == 0 || room > TIME_SIZE ? NULL : format_refusal(tail);
    char *before = memrchr(tail, '\n', (size_t)(end - tail));
    char *line = before != NULL ? before + 1 : tail;
    char first = *line;
    return line_parse(line, (size_t)(end - line), &entry) ? NULL : format_refusal(&first);
}

/* Takes the lock. Returns why that is not possible, or NULL. Only a process that can write the file
 * can take it, fcntl(2). But whoever can read the file, perhaps another user, can take a lock for
 * reading, which keeps us from taking ours. */
static const char *
lock_refusal(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    static char text[64];

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return NULL;
    if (errno != EAGAIN && errno != EACCES)
        return strerror(errno);
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_RDLCK)
        return "another server writes it";
    if (lock.l_pid <= 0)
        return "another process has it locked for reading";
    snprintf(text, sizeof(text), "process %d has it locked for reading", (int)lock.l_pid);
    return text;
}

/* Whether another server has the file as its log. */
static bool
file_is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

/*
 * The child that becomes a driver shares its server's descriptors for a moment, see spawn_open().
 * If the server is killed in that moment, the child still holds the lock when the server is gone;
 * on a loaded machine, for longer than it takes to start the next server. So we wait until nobody
 * holds the lock, but not for long: the loop does not run yet, and signals wait for it.
 */
static void
lock_await(int fd)
{
    static const struct timespec moment = {.tv_nsec = LOG_LOCK_RETRY_MS * NS_PER_MS};
    int64_t until_ns = clock_ns() + LOG_LOCK_WAIT_MS * NS_PER_MS;

    while (file_is_locked(fd) && clock_ns() < until_ns)
        nanosleep(&moment, NULL);
}

/* Opens the file. Returns its descriptor, or -1; *why then says why. */
static int
file_open(const char **why)
{
    /* O_NONBLOCK, because a FIFO would make us wait for somebody who reads it. */
    int fd =
        open(options.log_path,
             O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

    *why = fd >= 0 ? file_refusal(fd) : errno == ELOOP ? "it is a link" : strerror(errno);
    if (fd >= 0 && *why != NULL) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Looks at an open file as a whole, and locks it; otherwise closes it and returns false. */
static bool
file_take(int fd, off_t *whole, const char **why)
{
    *why = lock_refusal(fd); /* first, because whoever has it writes there */
    if (*why == NULL)
        *why = tail_refusal(fd, whole);
    if (*why != NULL)
        close(fd);
    return *why == NULL;
}

void
joblog_open(void)
{
    const char *why;

    if (options.log_path == NULL)
        return;
    joblog.fd = file_open(&why);
    if (joblog.fd >= 0)
        lock_await(joblog.fd);
    if (joblog.fd < 0 || !file_take(joblog.fd, &joblog.whole, &why))
        errx(EXIT_FAILURE, "cannot write the log %s: %s", options.log_path, why);
}

/* Drops the beginning of a line at the end of the file, so that the next line is whole. */
static void
joblog_mend(void)
{
    struct stat file;

    if (fstat(joblog.fd, &file) < 0 || file.st_size == joblog.whole)
        return;
    if (ftruncate(joblog.fd, joblog.whole) < 0)
        joblog_failed();
    else
        log_line("the last line of the log %s was torn, and is dropped", options.log_path);
}

/* If the server does not resume, its numbers may still go on where the numbers in the file end,
 * because of --output. So its first line says that a new batch begins. */
static void
joblog_begin(void)
{
    joblog_mend();
    joblog.first = joblog.whole > 0 && options.resume == RESUME_NONE;
}

void
joblog_start(void)
{
    if (joblog.fd >= 0)
        joblog_begin();
}

void
joblog_close(void)
{
    if (joblog.fd >= 0)
        close(joblog.fd);
}

/* Whether both descriptors are of the same file. */
static bool
is_same_file(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

void
joblog_reopen(void)
{
    const char *why;
    off_t whole;

    if (joblog.fd < 0 || joblog.failed)
        return;
    int fd = file_open(&why);
    if (fd >= 0 && is_same_file(fd, joblog.fd)) {
        close(fd);
        return;
    }
    if (fd < 0 || !file_take(fd, &whole, &why)) {
        log_line("cannot reopen the log %s: %s", options.log_path, why);
        return;
    }
    close(joblog.fd);
    joblog.fd = fd;
    joblog.whole = whole;
    joblog_begin();
    /* The new file says by itself which jobs wait and run. */
    for (const struct job *job = job_after(0, false); job != NULL;
         job = job_after(job->number, false)) {
        struct job taken = *job; /* as it was before it was given to a driver */
        taken.driver_pid = 0;
        joblog_step(&taken, STEP_WAITING);
        if (job->slot != 0)
            joblog_step(job, STEP_RUNNING);
    }
}

bool
joblog_has_failed(void)
{
    return joblog.failed;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void
lines_read(FILE *file, void (*visit)(const struct entry *))
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    for (int number = 1; (size = getline(&line, &room, file)) > 0 && line[size - 1] == '\n';
         number++) {
        struct entry entry;
        char first = line[0];
        if (!line_parse(line, (size_t)size - 1, &entry))
            errx(EXIT_FAILURE, "cannot resume from %s: line %d: %s", options.log_path, number,
                 format_refusal(&first));
        visit(&entry);
    }
    if (ferror(file))
        err(EXIT_FAILURE, "cannot read the log %s", options.log_path);
    free(line);
}

void
joblog_read(void (*visit)(const struct entry *))
{
    int copy = fcntl(joblog.fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "r");

    if (file == NULL || fseek(file, 0, SEEK_SET) < 0)
        err(EXIT_FAILURE, "cannot read the log %s", options.log_path);
    lines_read(file, visit);
    fclose(file);
}

/* ---- a line ---------------------------------------------------------------------------------- */

/* Appends the time, such as 2026-01-31T23:59:59.123Z. */
static void
put_time(struct buffer *out)
{
    struct timespec now;
    struct tm parts;
    char ms[] = ".000Z";

    clock_gettime(CLOCK_REALTIME, &now);
    if (joblog.second != now.tv_sec) {
        joblog.second = now.tv_sec;
        strftime(joblog.second_text, sizeof(joblog.second_text), "%Y-%m-%dT%H:%M:%S",
                 gmtime_r(&now.tv_sec, &parts));
    }
    long value = now.tv_nsec / 1000000;
    for (int digit = 3; digit >= 1; digit--, value /= 10)
        ms[digit] = (char)('0' + value % 10);
    buffer_append_string(out, joblog.second_text);
    buffer_append_string(out, ms);
}

/* Appends seconds, such as 0.250. */
static void
put_seconds(struct buffer *out, uint64_t ms)
{
    char digits[] = ".000";

    buffer_append_number(out, ms / 1000);
    ms %= 1000;
    for (int digit = 3; digit >= 1; digit--, ms /= 10)
        digits[digit] = (char)('0' + ms % 10);
    buffer_append_string(out, digits);
}

/* Appends a command: tab, newline and backslash as \t, \n and \\, and what is not printable UTF-8
 * as \xNN. */
static void
put_command(struct buffer *out, const struct job_text *text)
{
    static const char hex[] = "0123456789abcdef";
    struct span command = job_text_shown(text);
    const char *at = command.at, *end = at + command.size;

    while (at < end) {
        size_t size = printable_size(at, (size_t)(end - at));
        unsigned char byte = (unsigned char)*at;
        if (byte == '\t' || byte == '\n' || byte == '\\') {
            char code[] = {'\\', byte == '\t' ? 't' : byte == '\n' ? 'n' : '\\'};
            buffer_append(out, code, sizeof(code));
            size = 1;
        } else if (size == 0) {
            char code[] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
            buffer_append(out, code, sizeof(code));
            size = 1;
        } else {
            buffer_append(out, at, size);
        }
        at += size;
    }
}

/* Returns the driver that a line shows: the one that has the job; in a Waiting line, the one that
 * has given it back, or that its command names; or 0 if there is none. */
static pid_t
shown_driver(const struct job *job)
{
    return job->driver_pid != 0 ? job->driver_pid : job->named_pid;
}

/* Whether the line shows that the job is for any driver: a run any shows it while it waits. */
static bool
shows_any(const struct job *job, enum job_step step)
{
    return step == STEP_WAITING && shown_driver(job) == 0 && job->giver == NULL;
}

static void
put_driver(struct buffer *out, const struct job *job, enum job_step step)
{
    if (shows_any(job, step))
        buffer_append_string(out, "any");
    else if (shown_driver(job) != 0)
        buffer_append_number(out, (uint64_t)shown_driver(job));
    else
        buffer_append_string(out, "-");
}

/* Appends what a job that waits again was before, such as "was 17 exit 1". */
static void
put_before(struct buffer *out, const struct job *job)
{
    char result[RESULT_SIZE];

    if (joblog.was != 0) {
        buffer_append_string(out, "was ");
        buffer_append_number(out, joblog.was);
    }
    if (joblog.was != 0 && job->before != NULL)
        buffer_append_string(out, " ");
    if (job->before != NULL) {
        struct job before = {.result = *job->before}; /* a job with what job_result_text() needs */
        buffer_append(out, result, job_result_text(&before, result));
    }
}

static void
put_text(struct buffer *out, const struct job *job, enum job_step step)
{
    char result[RESULT_SIZE];

    put_time(out);
    buffer_append_string(out, "\t");
    buffer_append_number(out, job->number);
    buffer_append_string(out, "\t");
    buffer_append_string(out, step_words[step].field);
    buffer_append_string(out, "\t");
    put_driver(out, job, step);
    buffer_append_string(out, "\t");
    if (step == STEP_WAITING)
        put_seconds(out, job->limit_ms);
    else if (step == STEP_DONE && job->result.ending != JOB_UNRUN)
        put_seconds(out, job->result.elapsed_us / 1000);
    else
        buffer_append_string(out, "-");
    buffer_append_string(out, "\t");
    if (step == STEP_DONE)
        buffer_append(out, result, job_result_text(job, result));
    else if (step == STEP_WAITING && (joblog.was != 0 || job->before != NULL))
        put_before(out, job);
    else
        buffer_append_string(out, step == STEP_WAITING && joblog.first ? "first" : "-");
    buffer_append_string(out, "\t");
    put_command(out, job->text);
    buffer_append_string(out, "\n");
}

/* {"time":"...","job":17,"state":"running","driver":4711,"command":"make"} */
static void
put_json(struct buffer *out, const struct job *job, enum job_step step)
{
    buffer_append_string(out, "{\"time\":\"");
    put_time(out);
    buffer_append_string(out, "\",\"job\":");
    buffer_append_number(out, job->number);
    buffer_append_string(out, ",\"state\":\"");
    buffer_append_string(out, step_words[step].state);
    buffer_append_string(out, "\"");
    if (shows_any(job, step)) {
        buffer_append_string(out, ",\"driver\":\"any\"");
    } else if (shown_driver(job) != 0) {
        buffer_append_string(out, ",\"driver\":");
        buffer_append_number(out, (uint64_t)shown_driver(job));
    }
    if (step == STEP_WAITING) {
        buffer_append_string(out, ",\"seconds\":");
        put_seconds(out, job->limit_ms);
        if (joblog.first)
            buffer_append_string(out, ",\"first\":true");
        if (joblog.was != 0) {
            buffer_append_string(out, ",\"was\":");
            buffer_append_number(out, joblog.was);
        }
        if (job->before != NULL) {
            struct job before = {.result = *job->before};
            buffer_append_string(out, ",");
            json_result(out, &before);
        }
    } else if (step == STEP_DONE) {
        if (job->result.ending != JOB_UNRUN) {
            buffer_append_string(out, ",\"seconds\":");
            put_seconds(out, job->result.elapsed_us / 1000);
        }
        buffer_append_string(out, ",");
        json_result(out, job);
    }
    json_command(out, job->text);
    buffer_append_string(out, "}\n");
}

void
joblog_was(uint64_t number)
{
    joblog.was = number;
}

/* If write(2) writes only a part, as on a full disk, the next one says why. */
static bool
write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

bool
joblog_step(const struct job *job, enum job_step step)
{
    struct buffer line = {.data = block};

    if (joblog.fd < 0 || joblog.failed)
        return joblog.fd < 0;
    if (options.json)
        put_json(&line, job, step);
    else
        put_text(&line, job, step);
    joblog.first = false;
    joblog.was = 0;
    if (!write_all(joblog.fd, line.data, line.end))
        joblog_failed();
    return !joblog.failed;
}

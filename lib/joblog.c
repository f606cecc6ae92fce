#include "joblog.h"

#include "json.h"
#include "log.h"
#include "options.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd; /* -1: no log is kept */
    bool failed;
    time_t second; /* what second_text shows */
    char second_text[sizeof("2026-01-31T23:59:59")];
} joblog = {.fd = -1};

/* A line that is being made: a command of 4 KiB takes 24 KiB at most. */
static char block[BLOCK_SIZE];

/* ---- the file -------------------------------------------------------------------------------- */

/* Returns why a file must not be the log, or NULL. Others could forge what a file says that they can
 * write, and a name of theirs for a file of ours could make us append to any of our files. */
static const char *
joblog_refusal(int fd)
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
    if (file.st_nlink != 1)
        return "it has another name, too";
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? "another server writes it" : strerror(errno);
    return NULL;
}

/* Opens the file. Returns its descriptor, or -1; *why then says why. */
static int
joblog_file(const char **why)
{
    /* O_NONBLOCK, because a FIFO would make us wait for somebody who reads it. */
    int fd =
        open(options.log_path,
             O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

    *why = fd >= 0 ? joblog_refusal(fd) : errno == ELOOP ? "it is a link" : strerror(errno);
    if (fd >= 0 && *why != NULL) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* A server that was killed, or a full disk, may have left the beginning of a line at the end: drops
 * it, so that the next line is whole. */
static void
joblog_mend(void)
{
    off_t size = lseek(joblog.fd, 0, SEEK_END), end = size;
    char byte = '\n';

    while (end > 0 && pread(joblog.fd, &byte, 1, end - 1) == 1 && byte != '\n')
        end--;
    if (size < 0 || (end > 0 && byte != '\n') || (end < size && ftruncate(joblog.fd, end) < 0))
        err(EXIT_FAILURE, "cannot write the log %s", options.log_path);
    if (end < size)
        log_line("the last line of the log %s was torn, and is dropped", options.log_path);
}

void
joblog_open(void)
{
    const char *why;

    if (options.log_path == NULL)
        return;
    joblog.fd = joblog_file(&why);
    if (joblog.fd < 0)
        errx(EXIT_FAILURE, "cannot write the log %s: %s", options.log_path, why);
    joblog_mend();
}

void
joblog_close(void)
{
    if (joblog.fd >= 0)
        close(joblog.fd);
}

void
joblog_reopen(void)
{
    const char *why;

    if (joblog.fd < 0)
        return;
    int old = joblog.fd;
    flock(old, LOCK_UN); /* it may be the same file */
    int fd = joblog_file(&why);
    if (fd < 0) {
        flock(old, LOCK_EX | LOCK_NB);
        log_line("cannot reopen the log %s: %s", options.log_path, why);
        return;
    }
    joblog.fd = fd;
    close(old);
}

bool
joblog_has_failed(void)
{
    return joblog.failed;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void
lines_read(FILE *file, void (*visit)(const struct entry *))
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    for (int number = 1; (size = getline(&line, &room, file)) > 0; number++) {
        struct entry entry;
        bool valid = options.json ? entry_parse_json(line, (size_t)size - 1, &entry)
                                  : entry_parse(line, (size_t)size - 1, &entry);
        if (!valid)
            errx(EXIT_FAILURE, "cannot resume from %s: line %d is not from such a log%s",
                 options.log_path, number,
                 (line[0] == '{') == options.json ? ""
                 : options.json                   ? " (it is not in JSON)"
                                                  : " (try --json)");
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

/* Appends a command: tab, newline and backslash as \t, \n and \\, and other bytes that are not
 * printable and no UTF-8 as \xNN. */
static void
put_command(struct buffer *out, const struct job_text *text)
{
    static const char hex[] = "0123456789abcdef";
    struct span command = job_text_shown(text);
    const char *at = command.at, *end = at + command.size;

    while (at < end) {
        size_t size = utf8_size(at, (size_t)(end - at));
        unsigned char byte = (unsigned char)*at;
        if (byte == '\t' || byte == '\n' || byte == '\\') {
            char code[] = {'\\', byte == '\t' ? 't' : byte == '\n' ? 'n' : '\\'};
            buffer_append(out, code, sizeof(code));
            size = 1;
        } else if (size == 0 || byte < ' ' || byte == 0x7f) {
            char code[] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
            buffer_append(out, code, sizeof(code));
            size = 1;
        } else {
            buffer_append(out, at, size);
        }
        at += size;
    }
}

/* Appends the driver that has the job; of a job that waits, what its command asks for. */
static void
put_driver(struct buffer *out, const struct job *job, enum job_step step)
{
    if (step == STEP_WAITING && job->any)
        buffer_append_string(out, "any");
    else if (job->driver_pid != 0)
        buffer_append_number(out, (uint64_t)job->driver_pid);
    else
        buffer_append_string(out, "-");
}

static void
put_text(struct buffer *out, const struct job *job, enum job_step step)
{
    static const char *const steps[] = {"\tWaiting\t", "\tRunning\t", "\tDone\t"};
    char result[RESULT_SIZE];

    put_time(out);
    buffer_append_string(out, "\t");
    buffer_append_number(out, job->number);
    buffer_append_string(out, steps[step]);
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
    else
        buffer_append_string(out, "-");
    buffer_append_string(out, "\t");
    put_command(out, job->text);
    buffer_append_string(out, "\n");
}

/* {"time":"...","job":17,"state":"running","driver":4711,"command":"make"} */
static void
put_json(struct buffer *out, const struct job *job, enum job_step step)
{
    static const char *const states[] = {"waiting", "running", "done"};

    buffer_append_string(out, "{\"time\":\"");
    put_time(out);
    buffer_append_string(out, "\",\"job\":");
    buffer_append_number(out, job->number);
    buffer_append_string(out, ",\"state\":\"");
    buffer_append_string(out, states[step]);
    buffer_append_string(out, "\"");
    if (job->driver_pid != 0 || (step == STEP_WAITING && job->any)) {
        buffer_append_string(out,
                             step == STEP_WAITING && job->any ? ",\"driver\":\"" : ",\"driver\":");
        put_driver(out, job, step);
        buffer_append_string(out, step == STEP_WAITING && job->any ? "\"" : "");
    }
    if (step == STEP_WAITING) {
        buffer_append_string(out, ",\"seconds\":");
        put_seconds(out, job->limit_ms);
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
    errno = ENOSPC; /* write(2) may write a part, and sets no errno then */
    if (write(joblog.fd, line.data, line.end) != (ssize_t)line.end) {
        log_line("cannot write the log %s: %s", options.log_path, strerror(errno));
        joblog.failed = true;
    }
    return !joblog.failed;
}

#include "progress.h"

#include "clients.h"
#include "clock.h"
#include "deadline.h"
#include "fleet.h"
#include "job_life.h"
#include "log.h"
#include "options.h"
#include "relay.h"
#include "stats.h"
#include "tally.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    UPDATE_MS = 100,       /* between two updates, at least */
    AHEAD_SIZE = 8 * 1024, /* of a read from a file */
    AHEAD_READS = 128,     /* in an update: a mebibyte, which takes a few milliseconds */
};

static struct {
    bool wanted;
    bool total_known;
    /* Standard input, if it is a regular file that was not counted to its end yet; otherwise -1. It
     * is counted from at on, ahead of what the console reads. */
    int file;
    off_t at;
    struct deadline due;            /* DEADLINE_UPDATE: the next update */
    int64_t updated_ns;             /* on CLOCK_MONOTONIC */
    uint64_t ended_seen, jobs_seen; /* tally.ended and stats.jobs at the last update */
    uint64_t ended_whole;           /* tally.ended when no line was unfinished */
    /* What the line shows; left_s is below 0 if the time that is left is not known. */
    uint64_t done, failed, running, total;
    int64_t left_s;
} meter = {.file = -1};

void
progress_open(void)
{
    struct stat status;

    meter.wanted = options.progress;
    deadline_init(&meter.due);
    if (!meter.wanted || fstat(STDIN_FILENO, &status) < 0 || !S_ISREG(status.st_mode))
        return;
    meter.at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    meter.file = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (meter.at < 0 || meter.file < 0)
        err(EXIT_FAILURE, "cannot look ahead in standard input");
}

/* ---- the numbers ----------------------------------------------------------------------------- */

/* Counts a piece of the file. */
static void
progress_count_ahead(void)
{
    char data[AHEAD_SIZE];
    ssize_t n = 1;

    for (int i = 0; i < AHEAD_READS && n > 0; i++) {
        n = pread(meter.file, data, sizeof(data), meter.at);
        if (n > 0) {
            tally_input(data, (size_t)n);
            meter.at += n;
        }
    }
    if (n != 0)
        return;
    meter.total_known = true;
    close(meter.file);
    meter.file = -1;
}

/* If a batch is halted, the rest of its input is not read, so its total stays unknown. */
static void
progress_look_for_total(void)
{
    if (meter.total_known)
        return;
    if (meter.file >= 0)
        progress_count_ahead();
    else
        meter.total_known = console.input_state != INPUT_OPEN && client_halted(&console) == NULL;
}

/*
 * Counts the jobs that run, and estimates the time that is left: the jobs that are left take the
 * mean time of the jobs that have ended, and all drivers share them. A job that has run for longer
 * than the mean may end at any time.
 */
static void
progress_look_at_drivers(void)
{
    uint64_t left = meter.total > tally.ended ? meter.total - tally.ended : 0;
    double mean_ns = tally.ran > 0 ? (double)tally.ran_us / (double)tally.ran * 1000 : 0;
    double work_ns = (double)left * mean_ns;
    struct driver *driver = NULL;

    meter.running = 0;
    while ((driver = fleet_next(driver)) != NULL) {
        if (driver->job == NULL || !driver->job->batch)
            continue;
        double ran_ns = (double)(clock_turn_ns - driver->job_taken_ns);
        work_ns -= ran_ns < mean_ns ? ran_ns : mean_ns;
        meter.running++;
    }
    uint64_t workers = fleet_count(DRIVER_READY);
    if (workers > left)
        workers = left;
    meter.left_s = -1;
    if (tally.ran > 0 && workers > 0 && meter.total_known)
        meter.left_s = work_ns <= 0 ? 0 : (int64_t)(work_ns / (double)workers / 1e9) + 1;
}

static void
progress_update(void)
{
    meter.updated_ns = clock_turn_ns;
    meter.ended_seen = tally.ended;
    meter.jobs_seen = stats.jobs;
    progress_look_for_total();
    meter.done = tally.done;
    meter.failed = tally.failed;
    meter.total = tally.given;
    progress_look_at_drivers();
    /* A file may have grown since it was counted. */
    if (meter.total < tally.ended + meter.running)
        meter.total = tally.ended + meter.running;
}

/* ---- the line -------------------------------------------------------------------------------- */

/* Appends a part, unless the line would fill the width. Returns false then. */
__attribute__((format(printf, 4, 5))) static bool
part_append(char *line, size_t *size, unsigned width, const char *format, ...)
{
    char part[STATUS_SIZE];
    va_list args;

    va_start(args, format);
    size_t part_size = (size_t)vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    if (*size + part_size >= width || *size + part_size >= STATUS_SIZE)
        return false;
    memcpy(line + *size, part, part_size + 1);
    *size += part_size;
    return true;
}

/* Makes the line of as many of its parts as there is room for. No part is cut: half a number would
 * be a lie. */
static void
progress_line(char *line)
{
    int64_t left_s = meter.left_s;
    unsigned width = log_width();
    size_t size = 0;

    line[0] = '\0';
    if (!part_append(line, &size, width, "%" PRIu64 " done", meter.done) ||
        !part_append(line, &size, width, ", %" PRIu64 " failed", meter.failed) ||
        !part_append(line, &size, width, ", %" PRIu64 " running", meter.running) ||
        !meter.total_known || !part_append(line, &size, width, ", of %" PRIu64, meter.total) ||
        left_s < 0)
        return;
    if (left_s < 3600)
        part_append(line, &size, width, ", %" PRId64 ":%02d left", left_s / 60, (int)(left_s % 60));
    else
        part_append(line, &size, width, ", %" PRId64 ":%02d:%02d left", left_s / 3600,
                    (int)(left_s / 60 % 60), (int)(left_s % 60));
}

/* Whether the terminal belongs to another job of the shell. */
static bool
in_background(void)
{
    pid_t foreground = tcgetpgrp(STDERR_FILENO);

    return foreground >= 0 && foreground != getpgrp();
}

/* Whether the line would tear a reply, or a line that a job may still be writing. It is not known
 * which job wrote half a line: once any job has ended, that line counts as ended, too. */
static bool
progress_would_tear(void)
{
    bool may_go_on = meter.running > 0 && tally.ended == meter.ended_whole;

    return buffer_used(&console.output) > 0 ||
           (log_is_mid_line() && (may_go_on || relay_is_active()));
}

/* There is no line before the first job of the batch. */
static bool
progress_has_begun(void)
{
    return meter.ended_seen > 0 || meter.running > 0;
}

static void
progress_show(void)
{
    char line[STATUS_SIZE];

    if (!progress_has_begun() || progress_would_tear() || in_background())
        return;
    progress_line(line);
    log_status(line);
}

void
progress_run(void)
{
    if (!meter.wanted || console.prompt != PROMPT_NONE) {
        deadline_stop(&meter.due);
        return;
    }
    int64_t next_ns = meter.updated_ns + UPDATE_MS * NS_PER_MS;
    bool changed = meter.ended_seen != tally.ended || meter.jobs_seen != stats.jobs;
    bool due = deadline_over(DEADLINE_UPDATE) != NULL;
    if (!log_is_mid_line())
        meter.ended_whole = tally.ended;
    if (due || (changed && clock_turn_ns >= next_ns)) {
        deadline_stop(&meter.due);
        progress_update();
        progress_show();
        if (meter.running > 0)
            deadline_start_for(&meter.due, DEADLINE_UPDATE, NS_PER_S);
    } else if (changed && (!deadline_is_set(&meter.due) || meter.due.at_ns > next_ns)) {
        deadline_start_for(&meter.due, DEADLINE_UPDATE, next_ns - clock_turn_ns);
    }
    if (!log_status_is_shown())
        progress_show();
}

bool
progress_end(void)
{
    char line[STATUS_SIZE] = "";

    if (!meter.wanted)
        return true;
    progress_update();
    meter.left_s = -1;
    if (progress_has_begun())
        progress_line(line);
    if (line[0] != '\0' && !log_status_end(line)) {
        deadline_start_for(&meter.due, DEADLINE_UPDATE, UPDATE_MS * NS_PER_MS);
        return false;
    }
    deadline_stop(&meter.due);
    meter.wanted = false;
    if (meter.file >= 0)
        close(meter.file);
    meter.file = -1;
    return true;
}

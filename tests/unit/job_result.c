/* lib/job_result.h: each RESULT and each reason, in words. */
#include "lib/job_result.h"
#include "lib/options.h"

#include "check.h"

#include <errno.h>
#include <signal.h>

static struct job job = {.number = 17, .driver_pid = 4711};

/* What is true of a result, in letters: it has a number, it has a reason, it is good. */
static void
check_result(enum job_ending ending, enum job_reason reason, int value, const char *kind,
             const char *wanted, int line)
{
    char text[RESULT_SIZE];
    char letters[4];

    job.result = (struct job_result){.ending = ending, .reason = reason, .value = value};
    size_t size = job_result_text(&job, text);
    check_bytes(text, size, wanted, __FILE__, line);
    CHECK_NUMBER(strlen(text), size);
    snprintf(letters, sizeof(letters), "%s%s%s", result_has_number(&job.result) ? "N" : "",
             result_has_reason(&job.result) ? "R" : "", result_is_good(&job.result) ? "G" : "");
    check_bytes(letters, strlen(letters), kind, __FILE__, line);
    const char *word = result_word(&job.result);
    check_bytes(wanted, strlen(word) < strlen(wanted) ? strlen(word) : strlen(wanted), word,
                __FILE__, line);
}

static void
check_reason(enum job_ending ending, enum job_reason reason, int value, const char *wanted,
             int line)
{
    char result[RESULT_SIZE], text[RESULT_SIZE];

    job.result = (struct job_result){.ending = ending, .reason = reason, .value = value};
    size_t size = job_reason_text(&job, text);
    check_bytes(text, size, wanted, __FILE__, line);
    CHECK_NUMBER(strlen(text), size);
    snprintf(result, sizeof(result), "%s %s", ending == JOB_LOST ? "lost" : "unrun", wanted);
    check_result(ending, reason, value, "R", result, line);
}

static void
test_endings(void)
{
    check_result(JOB_EXIT, REASON_NONE, 0, "NG", "exit 0", __LINE__);
    check_result(JOB_EXIT, REASON_NONE, 255, "N", "exit 255", __LINE__);
    check_result(JOB_SIGNAL, REASON_NONE, 9, "N", "signal 9", __LINE__);
    check_result(JOB_SIGNAL, REASON_NONE, 127, "N", "signal 127", __LINE__);
    check_result(JOB_TIMEOUT, REASON_NONE, 0, "", "timeout", __LINE__);
    check_result(JOB_CANCELLED, REASON_NONE, 0, "", "cancelled", __LINE__);
}

static void
test_reasons(void)
{
    char start[128];

    check_reason(JOB_UNRUN, REASON_STOPPING, 0, "server is stopping", __LINE__);
    check_reason(JOB_UNRUN, REASON_CLIENT_GONE, 0, "its client is gone", __LINE__);
    check_reason(JOB_UNRUN, REASON_NO_DRIVER, 0, "no driver", __LINE__);
    check_reason(JOB_UNRUN, REASON_DIED, 3 << 8, "driver 4711 died (exited with status 3)",
                 __LINE__);
    check_reason(JOB_LOST, REASON_DIED, SIGKILL, "driver 4711 died (killed by signal 9)", __LINE__);
    check_reason(JOB_LOST, REASON_OVERDUE, SIGKILL, "driver 4711 did not report its end in time",
                 __LINE__);
    snprintf(start, sizeof(start), "cannot start a process: %s", strerror(EAGAIN));
    check_reason(JOB_UNRUN, REASON_START, EAGAIN, start, __LINE__);
}

/* An output file is named as the user named the directory, however long that name is. */
static void
test_output(void)
{
    static char path[OUTPUT_PATH_MAX + 1];
    char wanted[RESULT_SIZE];

    options.output_path = strcpy(path, "logs");
    snprintf(wanted, sizeof(wanted), "cannot open logs/17.out: %s", strerror(EACCES));
    check_reason(JOB_UNRUN, REASON_OUT, EACCES, wanted, __LINE__);
    snprintf(wanted, sizeof(wanted), "cannot open logs/17.err: %s", strerror(EEXIST));
    check_reason(JOB_UNRUN, REASON_ERR, EEXIST, wanted, __LINE__);
    memset(path, 'd', OUTPUT_PATH_MAX);
    job.number = UINT64_MAX;
    snprintf(wanted, sizeof(wanted), "cannot open %s/18446744073709551615.out: %s", path,
             strerror(ENAMETOOLONG));
    check_reason(JOB_UNRUN, REASON_OUT, ENAMETOOLONG, wanted, __LINE__);
    job.number = 17;
}

int
main(void)
{
    test_endings();
    test_reasons();
    test_output();
    return checks_failed();
}

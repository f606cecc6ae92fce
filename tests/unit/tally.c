/* lib/tally.h: which lines of the input give a job, and how the ends of jobs count. */
#include "lib/tally.h"
#include "lib/options.h"

#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *input;
    unsigned given;
} inputs[] = {
    {"", 0},
    {"run any 5 true\n", 1},
    {"run any 5 true", 1},
    {"run\n", 1}, /* gets an Error, which is a failure */
    {" \trun\tany 5 true\r\nrun any 5 true\n\n\nrun any 5 true", 3},
    {"\xef\xbb\xbfrun any 5 true\nrun any 5 true\n", 2},
    {"run any 5 true\n\xef\xbb\xbfrun any 5 true\n", 1},
    {"runs\nru\nRun\n#run\n# run\nget_drivers run\nlongerthanaword run\n", 0},
    {"run any 5 echo; run\nsend_task any 5\nrun any 5 run", 2},
    {"quits\nrun any 5 true\nquit\nrun any 5 true\n", 1},
    {"run any 5 true\nexit\r\nrun any 5 true\n", 1},
    {"submit 5 true\nrun any 5 true\nsubmits\nsubmit\n", 3},
    {"run any 5 true\n  shutdown \nrun any 5 true\n", 1},
};

/* Returns how many jobs the input gives. The module cannot begin anew, so each input is counted in a
 * process of its own. */
static unsigned
given_by(const char *input, size_t size, size_t piece)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        for (size_t at = 0; at < size; at += piece)
            tally_input(input + at, size - at < piece ? size - at : piece);
        _exit((int)tally.given);
    }
    waitpid(child, &status, 0);
    return (unsigned)WEXITSTATUS(status);
}

static void
test_input(void)
{
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
        for (size_t piece = 1; piece <= 32; piece++)
            CHECK_NUMBER(given_by(inputs[i].input, strlen(inputs[i].input), piece),
                         inputs[i].given);
}

/* The names of --each: an empty one counts only if a zero byte ends each. */
static void
test_names(void)
{
    static char *words[] = {"true", NULL};
    static const char lines[] = "a\n\nb c\nrun\nquit\nd", names[] = "a\0\0b\nc\0quit\0";

    options.each = words;
    for (size_t piece = 1; piece <= 32; piece++) {
        options.name_separator = '\n';
        CHECK_NUMBER(given_by(lines, sizeof(lines) - 1, piece), 5);
        options.name_separator = '\0';
        CHECK_NUMBER(given_by(names, sizeof(names) - 1, piece), 4);
    }
    options.each = NULL;
}

static void
check_end(struct job_result result, bool past, unsigned done, unsigned failed, unsigned ran)
{
    struct tally before = tally;

    result.elapsed_us = 7;
    tally_job_ended(&result, past);
    CHECK_NUMBER(tally.ended - before.ended, 1);
    CHECK_NUMBER(tally.done - before.done, done);
    CHECK_NUMBER(tally.failed - before.failed, failed);
    CHECK_NUMBER(tally.ran - before.ran, ran);
    CHECK_NUMBER(tally.ran_us - before.ran_us, 7 * ran);
}

static void
test_ends(void)
{
    check_end((struct job_result){.ending = JOB_EXIT}, false, 1, 0, 1);
    check_end((struct job_result){.ending = JOB_EXIT}, true, 1, 0, 0);
    check_end((struct job_result){.ending = JOB_EXIT, .value = 3}, false, 1, 1, 1);
    check_end((struct job_result){.ending = JOB_SIGNAL, .value = 9}, false, 1, 1, 1);
    check_end((struct job_result){.ending = JOB_TIMEOUT}, false, 1, 1, 1);
    check_end((struct job_result){.ending = JOB_CANCELLED}, false, 0, 0, 1);
    check_end((struct job_result){.ending = JOB_LOST, .reason = REASON_DIED}, false, 1, 1, 0);
    check_end((struct job_result){.ending = JOB_UNRUN, .reason = REASON_OUT}, false, 1, 1, 0);
    check_end((struct job_result){.ending = JOB_UNRUN, .reason = REASON_STOPPING}, false, 0, 0, 0);
    check_end((struct job_result){.ending = JOB_UNRUN, .reason = REASON_TEXT}, false, 0, 0, 0);
    struct tally before = tally;
    tally_job_refused();
    CHECK_NUMBER(tally.done - before.done, 1);
    CHECK_NUMBER(tally.failed - before.failed, 1);
}

int
main(void)
{
    test_input();
    test_names();
    test_ends();
    return checks_failed();
}

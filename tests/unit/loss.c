/* lib/loss.h: what a client that has gone leaves undone, in words. */
#include "lib/loss.h"

#include "check.h"

static void
check_loss(const struct loss *loss, const char *wanted, int line)
{
    char text[LOSS_SIZE];
    size_t size = loss_text(loss, text);

    check_bytes(text, size, wanted, __FILE__, line);
}

static struct job_text *
text_of(const char *command)
{
    struct span span = {command, strlen(command)};
    struct job_text *text = job_text_new(&span);

    CHECK(text != NULL);
    return text;
}

static void
test_counts(void)
{
    struct loss loss = {0};

    check_loss(&loss, "", __LINE__);
    loss.half_line = true;
    check_loss(&loss, "half a line was dropped", __LINE__);
    loss.commands = 1;
    loss.errors = 2;
    check_loss(&loss, "half a line was dropped, 2 Errors not read, 1 command not run", __LINE__);
    loss.half_line = false;
    loss.errors = 0;
    check_loss(&loss, "1 command not run", __LINE__);
}

/* The first job is named, even after its own text is freed. */
static void
test_jobs(void)
{
    struct job_text *first = text_of("make all"), *next = text_of("make install");
    struct loss loss = {0};

    loss_add_job(&loss, 7, first);
    job_text_free(first);
    check_loss(&loss, "1 job not run, job 7: make all", __LINE__);
    loss_add_job(&loss, 9, next);
    job_text_free(next);
    check_loss(&loss, "2 jobs not run, the first is job 7: make all", __LINE__);
    loss_clear(&loss);
    check_loss(&loss, "", __LINE__);
    CHECK(job_texts_all_freed());
}

/* The longest text fits; of a long command the beginning is shown. */
static void
test_longest(void)
{
    char command[300 + 1] = "", shown[200 + 1] = "", text[LOSS_SIZE], wanted[2 * LOSS_SIZE];
    struct loss loss = {.commands = UINT32_MAX, .errors = UINT32_MAX, .half_line = true};

    memset(command, 'x', 300);
    memset(shown, 'x', 200);
    struct job_text *long_text = text_of(command);
    loss_add_job(&loss, UINT64_MAX, long_text);
    job_text_free(long_text);
    loss.jobs = UINT32_MAX;
    size_t size = loss_text(&loss, text);
    snprintf(wanted, sizeof(wanted),
             "half a line was dropped, 4294967295 Errors not read, 4294967295 commands not run, "
             "4294967295 jobs not run, the first is job 18446744073709551615: %s",
             shown);
    check_bytes(text, size, wanted, __FILE__, __LINE__);
    loss_clear(&loss);
    job_texts_close();
}

int
main(void)
{
    test_counts();
    test_jobs();
    test_longest();
    return checks_failed();
}

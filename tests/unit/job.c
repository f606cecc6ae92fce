/* lib/job.h and job_text.h: numbers and texts of jobs. */
#include "lib/job.h"

#include "check.h"

static struct job *
make(const char *command)
{
    struct span span = {command, strlen(command)};
    struct job *job = job_new(&span, 5000);

    CHECK(job != NULL && job->number == 0 && job->slot == 0 && job->state == JOB_WAITING);
    CHECK_NUMBER(job->limit_ms, 5000);
    return job;
}

static void
renumber(struct job *job, bool again)
{
    job_number_return(job, again);
    job->number = 0;
    job_number(job);
}

/* A number is given back only while it is the last one. */
static void
test_numbers(void)
{
    struct job *jobs[3];

    jobs_open(0, 0);
    for (size_t i = 0; i < 3; i++) {
        job_number(jobs[i] = make("x"));
        CHECK_NUMBER(jobs[i]->number, i + 1);
    }
    CHECK_NUMBER(jobs_count(), 3);
    renumber(jobs[1], true);
    CHECK_NUMBER(jobs[1]->number, 4);
    renumber(jobs[1], true);
    CHECK_NUMBER(jobs[1]->number, 4);
    renumber(jobs[1], false);
    CHECK_NUMBER(jobs[1]->number, 5);
    CHECK(job_find(1) == jobs[0] && job_find(2) == NULL && job_find(4) == NULL);
    CHECK(job_find(5) == jobs[1] && job_after(0, false) == jobs[0]);
    CHECK(job_after(1, false) == jobs[2] && job_after(3, true) == jobs[1] &&
          job_after(5, true) == NULL);
    for (size_t i = 0; i < 3; i++)
        job_free(jobs[i]);
    CHECK(jobs_count() == 0 && jobs_all_freed());
}

/* The last ends can be found, and an older one is freed when its reply is written. */
static void
test_ends(void)
{
    enum {
        MORE = 3
    };
    struct job *jobs[ENDS_KEPT + MORE];

    jobs_open(0, 0);
    for (size_t i = 0; i < ENDS_KEPT + MORE; i++) {
        job_number(jobs[i] = make("x"));
        jobs[i]->shown = i == 1;
    }
    jobs[1]->users++; /* replies to come */
    jobs[2]->users++;
    for (size_t i = 0; i < ENDS_KEPT + MORE; i++) {
        jobs[i]->state = JOB_DONE;
        job_keep_end(jobs[i]);
        job_free(jobs[i]);
    }
    CHECK(job_find(1) == NULL && job_find(2) == NULL && job_find(3) == NULL);
    CHECK(jobs[1]->text != NULL && jobs[2]->text == NULL);
    CHECK(job_find(4) == jobs[3] && job_after(0, true) == jobs[3] && job_after(0, false) == NULL);
    CHECK_NUMBER(jobs_count(), 2);
    job_free(jobs[1]);
    job_free(jobs[2]);
    jobs_close();
    CHECK_NUMBER(jobs_count(), 0);
}

/* Commands around the size of each class of texts, and the longest one. */
static void
test_texts(void)
{
    static const size_t sizes[] = {1, 64, 256, 1024, 4096, PROTO_TEXT_MAX};
    static char bytes[PROTO_TEXT_MAX + 1];
    struct job *jobs[6 * 21] = {NULL};
    size_t count = 0;

    for (size_t i = 0; i < PROTO_TEXT_MAX; i++)
        bytes[i] = (char)('!' + i % 90);
    for (size_t i = 0; i < 6; i++) {
        for (size_t less = 0; less <= 20 && less < sizes[i]; less++) {
            struct span command = {bytes + (less & 7), sizes[i] - less};
            if (command.size > PROTO_TEXT_MAX - 8)
                command.at = bytes;
            struct job *job = jobs[count++] = job_new(&command, 1);
            CHECK_NUMBER(job->text->size, command.size);
            CHECK(memcmp(job->text->bytes, command.at, command.size) == 0);
        }
    }
    CHECK_NUMBER(jobs_count(), count);
    CHECK(job_texts_bytes() > 21 * (64 + 256 + 1024 + 4096 + PROTO_TEXT_MAX));
    for (size_t i = 1; i < count; i++) /* none has written into another's */
        CHECK(jobs[i]->text->bytes[jobs[i]->text->size - 1] >= '!');
    CHECK(!jobs_all_freed());
    while (count > 0)
        job_free(jobs[--count]);
    CHECK(jobs_all_freed() && job_texts_bytes() == 0);
}

/* Checks how words, with a zero byte for each bar, are shown. */
static void
check_shown(const char *words, const char *wanted, int line)
{
    char text[64];
    struct span span = {text, strlen(words)};

    for (size_t i = 0; i < span.size; i++)
        text[i] = (char)(words[i] == '|' ? '\0' : words[i]);
    struct job *job = job_new_words(&span, 1);
    struct span shown = job_text_shown(job->text);
    check_bytes(shown.at, shown.size, wanted, __FILE__, line);
    job_free(job);
}

static void
test_shown(void)
{
    struct job *job = make("echo 'a line'");
    struct span shown = job_text_shown(job->text);

    CHECK_BYTES(shown.at, shown.size, "echo 'a line'");
    job_free(job);
    check_shown("true|", "true", __LINE__);
    check_shown("|", "''", __LINE__);
    check_shown("a b||c|", "'a b' '' c", __LINE__);
    check_shown("/bin/A-z_0.9|+1,2:3%@=|", "/bin/A-z_0.9 +1,2:3%@=", __LINE__);
    check_shown("it's|'|", "'it'\\''s' ''\\'''", __LINE__);
    check_shown("A=1|A=1|", "'A=1' A=1", __LINE__); /* the first one would be an assignment */
    check_shown("if|if|", "'if' if", __LINE__);
    check_shown("time|ifx|", "'time' ifx", __LINE__);
    check_shown("a\nb|\303\244|\t|", "'a\nb' '\303\244' '\t'", __LINE__);
}

/* Each byte that is not plain is quoted, and none takes more room than there is for it. */
static void
test_shown_bytes(void)
{
    static const char plain[] = "+,-./:=@_%";
    static char bytes[PROTO_TEXT_MAX];

    for (int byte = 1; byte < 256; byte++) {
        char word[] = {'x', '\0', 'x', (char)byte, '\0'};
        char lower = (char)(byte < 128 ? byte | 32 : 0);
        bool is_plain =
            byte < 128 && (strchr(plain, byte) != NULL || (byte >= '0' && byte <= '9') ||
                           (byte > 64 && lower >= 'a' && lower <= 'z'));
        struct job *job = job_new_words(&(struct span){word, 5}, 1);
        CHECK_NUMBER(job_text_shown(job->text).size, is_plain ? 4 : byte == '\'' ? 9 : 6);
        job_free(job);
    }
    memset(bytes, '\'', sizeof(bytes) - 1);
    for (int many = 0; many < 2; many++) {
        struct job *job = job_new_words(&(struct span){bytes, sizeof(bytes)}, 1);
        CHECK_NUMBER(job_text_shown(job->text).size,
                     many == 0 ? 4 * (sizeof(bytes) - 1) + 2 : 7 * sizeof(bytes) / 2 - 1);
        job_free(job);
        for (size_t i = 1; i < sizeof(bytes); i += 2)
            bytes[i] = '\0'; /* many words of one quote */
    }
}

/* A text that is shared outlives its job. */
static void
test_shared(void)
{
    struct job *job = make("echo shared");
    struct job_text *text = job_text_share(job->text);

    CHECK(text == job->text && text->users == 2);
    job_free(job);
    CHECK(jobs_count() == 0 && !jobs_all_freed());
    job = make("echo other"); /* gets other memory */
    CHECK(job->text != text);
    CHECK_BYTES(text->bytes, text->size, "echo shared");
    job_text_free(text);
    job_text_free(NULL);
    CHECK(!jobs_all_freed());
    job_free(job);
    CHECK(jobs_all_freed());
}

int
main(void)
{
    test_numbers();
    test_ends();
    test_texts();
    test_shown();
    test_shown_bytes();
    test_shared();
    jobs_close();
    return checks_failed();
}

#include "resume.h"

#include "job_result.h"
#include "joblog.h"
#include "log.h"
#include "options.h"
#include "output.h"

#include <assert.h>
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    CHAINS = 1 << 16, /* a log of a million jobs still has short chains */
};

/* Each table has CHAINS chains, oldest first. */
static struct {
    struct list *undone;  /* by number: jobs that have begun or wait */
    struct list *kept;    /* by command: jobs that are Done, with their last ends */
    struct list *failed;  /* by command: the kept jobs that failed */
    struct list *older;   /* by command: ends of jobs that were run again */
    struct list *waiting; /* by command: submitted jobs that wait again */
    struct list order;    /* the undone jobs, in the order of the log */
    struct list done;     /* the kept and older jobs */
    struct list again;    /* submitted jobs that wait again, see again_sort() */
    struct list taken;    /* jobs that resume_take() was called for */
    uint64_t highest;
    uint64_t last;  /* the number of the last job that was taken */
    uint64_t batch; /* counts the servers that did not resume */
} resume;

/* ---- tables ---------------------------------------------------------------------------------- */

static struct list *
table_new(void)
{
    struct list *chains = calloc(CHAINS, sizeof(*chains));

    if (chains == NULL)
        err(EXIT_FAILURE, "cannot resume");
    for (size_t i = 0; i < CHAINS; i++)
        list_init(&chains[i]);
    return chains;
}

static void
past_free(struct past *past)
{
    list_remove(&past->link);
    list_remove(&past->failed);
    list_remove(&past->order);
    job_text_free(past->command);
    free((char *)past->result.why);
    free(past);
}

static void
list_free(struct list *list)
{
    while (!list_empty(list))
        past_free(container_of(list->next, struct past, order));
}

/* Sets the result, which may be in a line of the log. */
static void
past_set_result(struct past *past, const struct job_result *result)
{
    char *why = result->why != NULL ? strdup(result->why) : NULL;

    if (result->why != NULL && why == NULL)
        err(EXIT_FAILURE, "cannot resume");
    free((char *)past->result.why);
    past->result = *result;
    past->result.why = why;
}

/* Returns the chain of a command, by the hash FNV-1a. */
static struct list *
past_chain(struct list *chains, const struct span *command)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < command->size; i++)
        hash = (hash ^ (unsigned char)command->at[i]) * UINT64_C(0x100000001b3);
    return &chains[(hash ^ hash >> 32) % CHAINS];
}

static bool
past_is(const struct past *past, const struct span *command)
{
    return past->command->size == command->size &&
           memcmp(past->command->bytes, command->at, command->size) == 0;
}

/* Returns the first job in a table with that command, or NULL. */
static struct past *
past_find(struct list *chains, const struct span *command)
{
    struct list *chain = past_chain(chains, command);

    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct past *past = container_of(link, struct past, link);
        if (past_is(past, command))
            return past;
    }
    return NULL;
}

/* Returns the first kept job that failed, with that command, or NULL. */
static struct past *
failed_find(const struct span *command)
{
    struct list *chain = past_chain(resume.failed, command);

    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct past *past = container_of(link, struct past, failed);
        if (past_is(past, command))
            return past;
    }
    return NULL;
}

/* ---- the job of a line ----------------------------------------------------------------------- */

/* Several servers may have given the same number to the same command. What tells their jobs
 * apart: */

static bool
is_of_batch(const struct past *past, const struct entry *entry)
{
    (void)entry;
    return past->batch == resume.batch;
}

static bool
is_any(const struct past *past, const struct entry *entry)
{
    (void)past;
    (void)entry;
    return true;
}

static bool
runs_there(const struct past *past, const struct entry *entry)
{
    return past->step == STEP_RUNNING && past->driver == entry->driver;
}

/* A server that is alone in a container may give its drivers the same pids each time. */
static bool
runs_there_in_batch(const struct past *past, const struct entry *entry)
{
    return is_of_batch(past, entry) && runs_there(past, entry);
}

static bool
may_wait_again(const struct past *past, const struct entry *entry)
{
    return past->step == STEP_WAITING && past->submitted && past->limit_ms == entry->ms;
}

/* A server that did not resume has left the job, and no other server gives it to a driver. */
static bool
never_begins(const struct past *past, const struct entry *entry)
{
    (void)entry;
    return past->step == STEP_WAITING && !past->submitted;
}

/* Returns the oldest job that is not Done, has that number and the command of the entry, and for
 * which is() is true; or NULL. */
static struct past *
undone_find(uint64_t number, const struct entry *entry,
            bool (*is)(const struct past *, const struct entry *))
{
    struct list *chain = &resume.undone[number % CHAINS];

    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct past *past = container_of(link, struct past, link);
        if (past->number == number && past_is(past, &entry->command) && is(past, entry))
            return past;
    }
    return NULL;
}

/* Returns the job whose end the entry reports, or NULL. */
static struct past *
ended_find(const struct entry *entry)
{
    static bool (*const preferred[])(const struct past *, const struct entry *) = {
        runs_there_in_batch, runs_there, is_of_batch, is_any};
    struct past *past = NULL;

    for (size_t i = 0; past == NULL && i < sizeof(preferred) / sizeof(preferred[0]); i++)
        past = undone_find(entry->number, entry, preferred[i]);
    return past;
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct past *
past_new(const struct entry *entry)
{
    struct past *past = malloc(sizeof(*past));
    struct job_text *command = job_text_new(&entry->command);

    if (past == NULL || command == NULL)
        err(EXIT_FAILURE, "cannot resume");
    job_text_set_past(command);
    *past = (struct past){.number = entry->number, .batch = resume.batch, .command = command};
    list_init(&past->failed);
    list_append(&resume.undone[entry->number % CHAINS], &past->link);
    list_append(&resume.order, &past->order);
    return past;
}

/* The job is Done. If it was run again because it had failed, it takes the place of the failure. */
static void
past_end(struct past *past)
{
    struct span command = {past->command->bytes, past->command->size};
    struct past *before = past->again ? failed_find(&command) : NULL;

    list_remove(&past->order);
    list_remove(&past->link);
    if (past->result.ending == JOB_UNRUN) {
        past_free(past);
        return;
    }
    list_append(&resume.done, &past->order);
    if (before != NULL) {
        list_append(&before->link, &past->link);
        list_remove(&before->link);
        list_remove(&before->failed);
        list_append(past_chain(resume.older, &command), &before->link);
    } else {
        list_append(past_chain(resume.kept, &command), &past->link);
    }
    if (!result_is_good(&past->result))
        list_append(past_chain(resume.failed, &command), &past->failed);
}

/* A server that did not resume has begun: earlier ends do not count for its batch. */
static void
batch_begin(void)
{
    list_free(&resume.done);
    resume.batch++;
}

/* Gives a job that waits again the number that it has now, by which later lines name it. Returns
 * the job, or NULL if there is none. */
static struct past *
past_renew(const struct entry *entry)
{
    struct past *past = undone_find(entry->was, entry, may_wait_again), *other;

    if (past == NULL)
        return NULL;
    while ((other = undone_find(entry->number, entry, never_begins)) != NULL)
        past_free(other);
    past->number = entry->number;
    past->batch = resume.batch;
    list_remove(&past->link);
    list_append(&resume.undone[past->number % CHAINS], &past->link);
    return past;
}

/* A job was taken, or waits again, or was given back by its driver. If the numbers begin anew, that
 * is a batch of its own, too: older logs have no mark. */
static struct past *
past_wait(const struct entry *entry)
{
    if (entry->first)
        batch_begin();
    struct past *past =
        entry->was != 0 ? past_renew(entry) : undone_find(entry->number, entry, is_of_batch);
    bool given_back = past != NULL && runs_there(past, entry);
    if (past != NULL && past->step == STEP_RUNNING && !given_back) {
        past->batch = 0;
        past = NULL;
    }
    if (past == NULL) {
        if (entry->number <= resume.last)
            list_free(&resume.done);
        resume.last = entry->number;
        past = past_new(entry);
    }
    if (!given_back)
        past->submitted = entry->submitted;
    if (entry->again) {
        past->again = true;
        past_set_result(past, &entry->result);
    }
    past->limit_ms = entry->ms;
    return past;
}

static void
past_done(struct past *past, const struct entry *entry)
{
    if (past->submitted && entry->result.ending == JOB_UNRUN) { /* as at a stop */
        past->step = STEP_WAITING;
        return;
    }
    past_set_result(past, &entry->result);
    past->result.elapsed_us = entry->ms * 1000;
    past_end(past);
}

static void
entry_take(const struct entry *entry)
{
    struct past *past = NULL;

    if (entry->number > resume.highest)
        resume.highest = entry->number;
    switch (entry->step) {
    case STEP_WAITING:
        past = past_wait(entry);
        break;
    case STEP_RUNNING:
        past = undone_find(entry->number, entry, is_of_batch);
        break;
    case STEP_DONE:
        past = ended_find(entry);
        break;
    case STEPS:
        assert(false && "no line has that step");
    }
    if (past == NULL)
        past = past_new(entry);
    past->step = entry->step;
    past->driver = entry->driver;
    if (entry->step == STEP_DONE)
        past_done(past, entry);
}

uint64_t
resume_open(void)
{
    if (options.resume == RESUME_NONE)
        return 0;
    list_init(&resume.order);
    list_init(&resume.done);
    list_init(&resume.again);
    list_init(&resume.taken);
    resume.undone = table_new();
    resume.kept = table_new();
    resume.failed = table_new();
    resume.older = table_new();
    resume.waiting = table_new();
    resume.batch = 1;
    joblog_read(entry_take);
    if (resume.highest >= JOB_NUMBER_MAX)
        errx(EXIT_FAILURE, "cannot go on from %s: number too large (limit %" PRIu64 ")",
             options.log_path, JOB_NUMBER_MAX - 1);
    return resume.highest;
}

/* ---- what is left ---------------------------------------------------------------------------- */

/* Of jobs with the same number, the oldest keeps it: the others were taken later, by servers that
 * did not resume, and get new ones. A job also gets a new number if the directory of --output
 * already has files of its number, perhaps another server's. */
static void
past_wait_again(struct past *past)
{
    struct span command = {past->command->bytes, past->command->size};
    struct list *chain = &resume.undone[past->number % CHAINS];

    past->anew |= output_has(past->number);
    list_remove(&past->order);
    list_append(&resume.again, &past->order);
    list_remove(&past->link);
    list_append(past_chain(resume.waiting, &command), &past->link);
    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct past *other = container_of(link, struct past, link);
        other->anew |= other->number == past->number;
    }
}

/* For qsort(3): by number. Jobs that get a new number, which will be higher, come last. */
static int
past_compare(const void *a, const void *b)
{
    const struct past *one = *(struct past *const *)a, *other = *(struct past *const *)b;

    if (one->anew != other->anew)
        return one->anew ? 1 : -1;
    return one->number != other->number ? (one->number > other->number ? 1 : -1) : 0;
}

/* A log of several servers has these jobs in any order, and jobs must be taken in the order of
 * their numbers. */
static void
again_sort(void)
{
    size_t count = 0;

    for (struct list *link = resume.again.next; link != &resume.again; link = link->next)
        count++;
    struct past **pasts = calloc(count + 1, sizeof(*pasts));
    if (pasts == NULL)
        err(EXIT_FAILURE, "cannot resume");
    for (size_t i = 0; i < count; i++) {
        pasts[i] = container_of(resume.again.next, struct past, order);
        list_remove(&pasts[i]->order);
    }
    qsort(pasts, count, sizeof(*pasts), past_compare);
    for (size_t i = 0; i < count; i++)
        list_append(&resume.again, &pasts[i]->order);
    free(pasts);
}

/* Nobody will know how the job ended. */
static void
past_lose(struct past *past)
{
    struct job job = {.number = past->number,
                      .text = past->command,
                      .driver_pid = past->driver,
                      .result = {.ending = JOB_LOST, .reason = REASON_UNLOGGED}};
    char text[RESULT_SIZE];

    job_result_text(&job, text);
    if (joblog_step(&job, STEP_DONE)) /* otherwise the next server tells it */
        log_line("job %" PRIu64 " Done %s: %.*s", past->number, text, past->command->size,
                 past->command->bytes);
    past_set_result(past, &job.result);
    past_end(past);
}

void
resume_start(void)
{
    if (options.resume == RESUME_NONE)
        return;
    while (!list_empty(&resume.order)) {
        struct past *past = container_of(resume.order.next, struct past, order);
        if (past->step == STEP_RUNNING)
            past_lose(past);
        else if (past->submitted)
            past_wait_again(past);
        else
            past_free(past);
    }
    again_sort();
    for (struct list *link = resume.done.next; link != &resume.done; link = link->next) {
        struct past *past = container_of(link, struct past, order);
        if (options.resume == RESUME_FAILED && !result_is_good(&past->result))
            list_remove(&past->link); /* the job is run again */
    }
}

void
resume_renew(const struct past *past)
{
    struct job job = {
        .number = past->number,
        .text = past->command,
        .result = {.ending = JOB_UNRUN, .reason = REASON_TEXT, .why = "its number was given anew"}};

    if (past->anew)
        joblog_step(&job, STEP_DONE);
    if (past->anew || resume.batch > 1)
        joblog_was(past->number);
}

void
resume_ended(struct past *past, const struct job *job)
{
    past->step = STEP_DONE;
    past->driver = job->driver_pid;
    free((char *)past->result.why);
    past->result = job->result;
    past->result.why = NULL;
    if (job->result.reason == REASON_TEXT)
        past->result.why = strdup(job->result.why); /* without memory the reason is left out */
    if (past->result.why == NULL && past->result.reason == REASON_TEXT)
        past->result.reason = REASON_NONE;
}

void
resume_forget(void)
{
    if (options.resume == RESUME_NONE)
        return;
    list_free(&resume.done);
}

void
resume_close(void)
{
    if (options.resume == RESUME_NONE)
        return;
    resume_forget();
    list_free(&resume.again); /* their jobs are gone by now */
    list_free(&resume.order);
    list_free(&resume.taken);
    free(resume.undone);
    free(resume.kept);
    free(resume.failed);
    free(resume.older);
    free(resume.waiting);
}

/* ---- the jobs -------------------------------------------------------------------------------- */

struct past *
resume_find(const struct span *command)
{
    if (options.resume == RESUME_NONE)
        return NULL;
    struct past *past = past_find(resume.kept, command);
    return past != NULL ? past : past_find(resume.older, command);
}

struct past *
resume_find_failed(const struct span *command)
{
    return options.resume == RESUME_FAILED ? failed_find(command) : NULL;
}

struct past *
resume_find_waiting(const struct span *command)
{
    return options.resume != RESUME_NONE ? past_find(resume.waiting, command) : NULL;
}

struct past *
resume_waiting_after(struct past *past)
{
    if (options.resume == RESUME_NONE)
        return NULL;
    struct list *next = past != NULL ? past->order.next : resume.again.next;
    return next != &resume.again ? container_of(next, struct past, order) : NULL;
}

void
resume_take(struct past *past)
{
    list_remove(&past->link);
    list_remove(&past->failed);
    list_remove(&past->order);
    list_append(&resume.taken, &past->order);
}

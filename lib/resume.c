#include "resume.h"

#include "job_result.h"
#include "joblog.h"
#include "log.h"
#include "options.h"

#include <err.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    CHAINS = 1 << 16, /* a log of a million jobs still has short chains */
};

static struct {
    struct list *undone; /* by number: jobs that have begun or wait; CHAINS chains */
    struct list *good;   /* by command: jobs that ended with exit 0 */
    struct list *bad;    /* by command: all other jobs that are Done */
    struct list order;   /* the undone ones, in the order of the log */
    struct list taken;   /* those that were taken */
    uint64_t highest;
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
    job_text_free(past->command);
    free((char *)past->result.why);
    free(past);
}

static void
chain_free(struct list *chain)
{
    while (!list_empty(chain))
        past_free(container_of(chain->next, struct past, link));
}

static void
table_free(struct list *chains)
{
    for (size_t i = 0; chains != NULL && i < CHAINS; i++)
        chain_free(&chains[i]);
    free(chains);
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

/* The last one that was added comes first: of a job that was run again, that is the newest. */
static void
past_add(struct list *chains, struct past *past)
{
    struct span command = {past->command->bytes, past->command->size};

    list_append(past_chain(chains, &command)->next, &past->link);
}

static struct past *
past_find(struct list *chains, const struct span *command)
{
    struct list *chain = past_chain(chains, command);

    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct past *past = container_of(link, struct past, link);
        if (past->command->size == command->size &&
            memcmp(past->command->bytes, command->at, command->size) == 0)
            return past;
    }
    return NULL;
}

/* Returns the job of the entry if it is not Done, or NULL. Another job may have had the number. */
static struct past *
undone_find(const struct entry *entry)
{
    struct list *chain = &resume.undone[entry->number % CHAINS];

    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct past *past = container_of(link, struct past, link);
        if (past->number == entry->number && past->command->size == entry->command.size &&
            memcmp(past->command->bytes, entry->command.at, entry->command.size) == 0)
            return past;
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct past *
past_new(const struct entry *entry)
{
    struct past *past = malloc(sizeof(*past));
    struct job_text *command = job_text_new(&entry->command);

    if (past == NULL || command == NULL)
        err(EXIT_FAILURE, "cannot resume");
    *past = (struct past){.number = entry->number, .command = command};
    list_append(&resume.undone[entry->number % CHAINS], &past->link);
    list_append(&resume.order, &past->order);
    return past;
}

/* The job is Done. Whoever is not to run again is remembered by its command. */
static void
past_end(struct past *past)
{
    bool good = result_is_good(&past->result);

    list_remove(&past->order);
    list_remove(&past->link);
    if (past->result.ending == JOB_UNRUN || (!good && options.resume == RESUME_FAILED)) {
        past_free(past);
    } else {
        past_add(good ? resume.good : resume.bad, past);
    }
}

static void
entry_take(const struct entry *entry)
{
    struct past *past = undone_find(entry);

    if (entry->number > resume.highest)
        resume.highest = entry->number;
    if (past == NULL)
        past = past_new(entry);
    past->step = entry->step;
    past->driver = entry->driver;
    if (entry->step == STEP_WAITING)
        past->limit_ms = entry->ms;
    if (entry->step != STEP_DONE)
        return;
    past->result = entry->result;
    past->result.elapsed_us = entry->ms * 1000;
    if (entry->result.why != NULL && (past->result.why = strdup(entry->result.why)) == NULL)
        err(EXIT_FAILURE, "cannot resume");
    past_end(past);
}

/* Nobody will know how the jobs ended that had begun. */
static void
begun_are_lost(void)
{
    while (!list_empty(&resume.order)) {
        struct past *past = container_of(resume.order.next, struct past, order);
        struct job job = {.number = past->number,
                          .text = past->command,
                          .driver_pid = past->driver,
                          .result = {.ending = JOB_LOST, .reason = REASON_SERVER}};
        if (past->step == STEP_RUNNING) {
            if (!joblog_step(&job, STEP_DONE))
                exit(EXIT_FAILURE);
            past->result = job.result;
            log_line("job %" PRIu64 " Done lost the server died: %.*s", past->number,
                     past->command->size, past->command->bytes);
        } else {
            past->result.ending = JOB_UNRUN;
        }
        past_end(past);
    }
}

uint64_t
resume_open(void)
{
    if (options.resume == RESUME_NONE)
        return 0;
    list_init(&resume.order);
    list_init(&resume.taken);
    resume.undone = table_new();
    resume.good = table_new();
    resume.bad = table_new();
    joblog_read(entry_take);
    begun_are_lost();
    return resume.highest;
}

void
resume_close(void)
{
    if (options.resume == RESUME_NONE)
        return;
    table_free(resume.undone);
    table_free(resume.good);
    table_free(resume.bad);
    chain_free(&resume.taken);
}

struct past *
resume_find(const struct span *command)
{
    if (options.resume == RESUME_NONE)
        return NULL;
    struct past *past = past_find(resume.good, command);
    return past != NULL ? past : past_find(resume.bad, command);
}

void
resume_take(struct past *past)
{
    list_remove(&past->link);
    list_append(&resume.taken, &past->link);
}

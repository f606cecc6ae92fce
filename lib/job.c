#include "job.h"

#include "pool.h"

enum {
    TABLE_SIZE = 1 << 14, /* chains: a power of two; numbers are a good hash */
};

static struct {
    struct pool pool;
    size_t count;
    uint64_t last;      /* the last number that was given */
    struct list live;   /* jobs that have a number and are not Done, by number */
    struct list ends;   /* the last jobs that were Done, oldest first */
    unsigned end_count; /* of these */
    struct job *table[TABLE_SIZE];
} jobs = {
    .pool = {.size = sizeof(struct job), .per_slab = 60},
    .live = {&jobs.live, &jobs.live},
    .ends = {&jobs.ends, &jobs.ends},
};

void
jobs_open(uint64_t output, uint64_t logged)
{
    jobs.last = output > logged ? output : logged;
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct job **
number_chain(uint64_t number)
{
    return &jobs.table[number % TABLE_SIZE];
}

static void
number_add(struct job *job)
{
    struct job **chain = number_chain(job->number);

    job->next_hash = *chain;
    *chain = job;
}

static void
number_remove(const struct job *job)
{
    struct job **at = number_chain(job->number);

    while (*at != NULL && *at != job)
        at = &(*at)->next_hash;
    if (*at != NULL)
        *at = job->next_hash;
}

struct job *
job_find(uint64_t number)
{
    struct job *job = *number_chain(number);

    while (job != NULL && job->number != number)
        job = job->next_hash;
    return job;
}

/* ---- a job ----------------------------------------------------------------------------------- */

struct job *
job_new(const struct span *command, uint64_t limit_ms)
{
    struct job_text *text = job_text_new(command);
    struct job *job = text != NULL ? pool_get(&jobs.pool) : NULL;

    if (job == NULL) {
        job_text_free(text);
        return NULL;
    }
    *job = (struct job){.text = text, .limit_ms = limit_ms, .users = 1, .counted = true};
    list_init(&job->link);
    list_init(&job->waiters);
    jobs.count++;
    return job;
}

struct job *
job_new_words(const struct span *words, uint64_t limit_ms)
{
    struct job *job = job_new(words, limit_ms);

    if (job != NULL)
        job->text->is_words = true;
    return job;
}

static void
job_unlist(struct job *job)
{
    list_remove(&job->link);
    number_remove(job);
}

void
job_free(struct job *job)
{
    bool is_end = job->state == JOB_DONE && !list_empty(&job->link);

    job->users--;
    if (job->counted && job->users == (is_end ? 1 : 0)) {
        job->counted = false;
        jobs.count--;
    }
    if (job->users > 0)
        return;
    job_unlist(job);
    job_text_free(job->text);
    pool_put(&jobs.pool, job);
}

void
job_number(struct job *job)
{
    if (job->number == 0)
        job->number = ++jobs.last;
    list_append(&jobs.live, &job->link);
    number_add(job);
}

void
job_number_return(struct job *job, bool again)
{
    job_unlist(job);
    jobs.last -= again && job->number == jobs.last;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* A job that is not one of the last ends any more is kept only until its replies are written. */
static void
end_forget(struct job *job)
{
    jobs.end_count--;
    job_unlist(job);
    if (job->users > 1 && !job->shown) { /* its reply may have to wait for many others */
        job_text_free(job->text);
        job->text = NULL;
    }
    job_free(job);
}

void
job_keep_end(struct job *job)
{
    list_remove(&job->link);
    list_append(&jobs.ends, &job->link);
    job->users++;
    if (++jobs.end_count > ENDS_KEPT)
        end_forget(container_of(jobs.ends.next, struct job, link));
}

void
jobs_forget_ends(void)
{
    while (!list_empty(&jobs.ends))
        end_forget(container_of(jobs.ends.next, struct job, link));
}

static struct job *
live_after(uint64_t number)
{
    struct job *job = job_find(number);
    struct list *link = jobs.live.next;

    if (job != NULL && job->state != JOB_DONE)
        link = job->link.next;
    while (link != &jobs.live && container_of(link, struct job, link)->number <= number)
        link = link->next;
    return link != &jobs.live ? container_of(link, struct job, link) : NULL;
}

struct job *
job_after(uint64_t number, bool ends)
{
    struct job *job = live_after(number);

    for (struct list *link = jobs.ends.next; ends && link != &jobs.ends; link = link->next) {
        struct job *end = container_of(link, struct job, link);
        if (end->number > number && (job == NULL || end->number < job->number))
            job = end;
    }
    return job;
}

size_t
jobs_count(void)
{
    return jobs.count;
}

bool
jobs_all_freed(void)
{
    return pool_is_whole(&jobs.pool) && job_texts_all_freed();
}

void
jobs_close(void)
{
    jobs_forget_ends();
    pool_free(&jobs.pool);
}

#include "job.h"

#include "pool.h"

static struct {
    struct pool pool;
    size_t count;
    uint64_t last; /* the last number that was given */
} jobs = {
    .pool = {.size = sizeof(struct job), .per_slab = 60},
};

void
jobs_open(uint64_t output, uint64_t logged)
{
    jobs.last = output > logged ? output : logged;
}

struct job *
job_new(const struct span *command, uint64_t limit_ms)
{
    struct job_text *text = job_text_new(command);
    struct job *job = text != NULL ? pool_get(&jobs.pool) : NULL;

    if (job == NULL) {
        job_text_free(text);
        return NULL;
    }
    *job = (struct job){.text = text, .limit_ms = limit_ms};
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

void
job_free(struct job *job)
{
    job_text_free(job->text);
    pool_put(&jobs.pool, job);
    jobs.count--;
}

size_t
jobs_count(void)
{
    return jobs.count;
}

void
job_number(struct job *job)
{
    job->number = ++jobs.last;
}

void
job_number_return(struct job *job)
{
    jobs.last -= job->number == jobs.last;
}

bool
jobs_all_freed(void)
{
    return pool_is_whole(&jobs.pool) && job_texts_all_freed();
}

void
jobs_close(void)
{
    pool_free(&jobs.pool);
}

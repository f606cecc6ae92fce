#include "job.h"

#include "options.h"
#include "pool.h"

static struct {
    struct pool jobs, texts;
    uint64_t outputs; /* the last number that was given to output files */
} jobs = {
    .jobs = {.size = sizeof(struct job), .per_slab = 60},
    .texts = {.size = sizeof(struct job_text), .per_slab = 4},
};

struct job *
job_new(const struct span *command)
{
    struct job *job = pool_get(&jobs.jobs);
    struct job_text *text = pool_get(&jobs.texts);

    if (job == NULL || text == NULL) {
        if (job != NULL)
            pool_put(&jobs.jobs, job);
        job_text_free(text);
        return NULL;
    }
    text->size = command->size;
    memcpy(text->bytes, command->at, command->size);
    job->text = text;
    job->output = 0;
    return job;
}

void
jobs_open(uint64_t last_output)
{
    jobs.outputs = last_output;
}

void
job_number_output(struct job *job)
{
    if (options.output_path != NULL)
        job->output = ++jobs.outputs;
}

void
job_free(struct job *job)
{
    job_text_free(job->text);
    pool_put(&jobs.jobs, job);
}

void
job_text_free(struct job_text *text)
{
    if (text != NULL)
        pool_put(&jobs.texts, text);
}

bool
jobs_all_freed(void)
{
    return pool_is_whole(&jobs.jobs) && pool_is_whole(&jobs.texts);
}

void
jobs_close(void)
{
    pool_free(&jobs.jobs);
    pool_free(&jobs.texts);
}

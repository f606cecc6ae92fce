#include "loss.h"

#include <inttypes.h>
#include <stdio.h>

void
loss_add_job(struct loss *loss, uint64_t number, struct job_text *text)
{
    if (loss->jobs++ > 0)
        return;
    loss->first_job = number;
    loss->first_text = job_text_share(text);
}

void
loss_clear(struct loss *loss)
{
    job_text_free(loss->first_text);
    *loss = (struct loss){0};
}

/* Appends "3 jobs did not run", or nothing if the count is 0. Returns the new size. */
static size_t
count_append(char *text, size_t size, unsigned count, const char *what, const char *how)
{
    if (count == 0)
        return size;
    if (size > 0)
        size = text_append(text, size, LOSS_SIZE, ", ");
    size = number_append(text, size, LOSS_SIZE, count);
    size = text_append(text, size, LOSS_SIZE, what);
    size = text_append(text, size, LOSS_SIZE, count > 1 ? "s " : " ");
    return text_append(text, size, LOSS_SIZE, how);
}

size_t
loss_text(const struct loss *loss, char *text)
{
    size_t size = text_append(text, 0, LOSS_SIZE, loss->half_line ? "half a line was dropped" : "");

    size = count_append(text, size, loss->errors, " Error", "not read");
    size = count_append(text, size, loss->commands, " command", "not run");
    size = count_append(text, size, loss->jobs, " job", "not run");
    if (loss->jobs == 0)
        return size;
    struct span first = job_text_logged(loss->first_text);
    return size + (size_t)snprintf(text + size, LOSS_SIZE - size, "%s job %" PRIu64 ": %.*s",
                                   loss->jobs > 1 ? ", the first is" : ",", loss->first_job,
                                   (int)first.size, first.at);
}

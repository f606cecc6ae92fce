#include "phase.h"

#include <stdlib.h>

static struct {
    enum phase now;
    void (*stop)(void);
    bool failed, job_failed;
} life;

enum {
    EXIT_JOB_FAILED = 4,
};

void
phase_open(void (*stop)(void))
{
    life.stop = stop;
}

bool
phase_reach(enum phase phase)
{
    if (life.now >= phase)
        return false;
    life.now = phase;
    return true;
}

bool
phase_warming(void)
{
    return life.now == PHASE_WARMING;
}

bool
phase_ready(void)
{
    return life.now >= PHASE_READY;
}

bool
phase_stopping(void)
{
    return life.now >= PHASE_STOPPING;
}

bool
phase_overdue(void)
{
    return life.now >= PHASE_OVERDUE;
}

void
phase_stop(bool at_once)
{
    if (phase_reach(at_once ? PHASE_OVERDUE : PHASE_STOPPING) || at_once)
        life.stop();
}

void
phase_set_failed(void)
{
    life.failed = true;
}

void
phase_fail(void)
{
    phase_set_failed();
    phase_stop(false);
}

void
phase_job_failed(void)
{
    life.job_failed = true;
}

int
phase_exit_status(void)
{
    if (life.failed)
        return EXIT_FAILURE;
    return life.job_failed ? EXIT_JOB_FAILED : EXIT_SUCCESS;
}

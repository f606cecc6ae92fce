#include "phase.h"

#include <stdlib.h>

static struct {
    enum phase now;
    void (*stop)(bool first);
    int exit_status;
} life;

enum {
    EXIT_JOB_FAILED = 4,
};

void
phase_open(void (*stop)(bool first))
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
    bool first = !phase_stopping();

    if (phase_reach(at_once ? PHASE_OVERDUE : PHASE_STOPPING) || at_once)
        life.stop(first);
}

void
phase_set_failed(void)
{
    life.exit_status = EXIT_FAILURE;
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
    if (life.exit_status == EXIT_SUCCESS)
        life.exit_status = EXIT_JOB_FAILED;
}

int
phase_exit_status(void)
{
    return life.exit_status;
}

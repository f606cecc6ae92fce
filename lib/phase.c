#include "phase.h"

#include <stdlib.h>

static struct {
    enum phase now;
    bool stop_asked;
    int exit_status;
} life;

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
    phase_reach(at_once || phase_stopping() ? PHASE_OVERDUE : PHASE_STOPPING);
    life.stop_asked = true;
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
    if (!phase_stopping())
        phase_stop(false);
}

bool
phase_stop_asked(void)
{
    bool asked = life.stop_asked;

    life.stop_asked = false;
    return asked;
}

int
phase_exit_status(void)
{
    return life.exit_status;
}

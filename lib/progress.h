/*
 * progress.h: --progress, a line at a terminal that says how far the batch has got:
 *
 *     12 done, 1 failed, 4 running, of 300, 1:35 left
 *
 * It is the status line of lib/log.h. When other output has taken it away, it is shown again at the
 * end of the turn.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>

void progress_open(void);

/* Shows the line if there is something new, but at most ten times a second; and once a second
 * while jobs run. Called at the end of each turn; DEADLINE_UPDATE only makes sure that there is a
 * turn. */
void progress_run(void);

/* The batch is over: shows the line for the last time, and it stays. Returns whether that is done,
 * now or before; otherwise the terminal takes no more, and there is a turn soon to try again. */
bool progress_end(void);

#endif

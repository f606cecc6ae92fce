/*
 * signals.h: all signals are blocked, and read from a signalfd in the epoll set.
 *
 * Signals that a fault in this program raises (SEGV, BUS, FPE, ILL, ABRT, TRAP, SYS) stay
 * unblocked. There is no handler anywhere.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "source.h"

#include <signal.h>
#include <sys/signalfd.h>

/* Blocks all signals but those of faults; *set is what is blocked. Returns false with errno on
 * failure. */
bool signals_block(sigset_t *set);

/* Unblocks all signals, for a program that a child is about to run. Returns false with errno on
 * failure. */
bool signals_unblock(void);

/* Sets all dispositions to default, so that one that was inherited changes nothing: with SIGCHLD
 * ignored, for example, the kernel would reap our children. Returns whether SIGHUP was ignored, as
 * nohup(1) has it. */
bool signals_default(void);

/* Makes the source a signalfd for these signals and watches it. Returns false with errno on
 * failure. */
bool signals_open(struct source *, const sigset_t *set,
                  void (*ready)(struct source *, uint32_t events));

/* Reads at most count of the signals that are pending. Returns how many were read, 0 if there is
 * none any more, -1 with errno on failure. */
int signals_read(const struct source *, struct signalfd_siginfo *infos, int count);

#endif

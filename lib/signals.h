/*
 * signals.h: signals are blocked, and read from a signalfd in the epoll set.
 *
 * The signals that a fault in this program raises (SEGV, BUS, FPE, ILL, ABRT, TRAP, SYS) stay
 * unblocked. There is no signal handler anywhere.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "source.h"

#include <signal.h>
#include <sys/signalfd.h>

/* Blocks all signals except the fault signals, and sets *set to the blocked ones. Returns false
 * with errno on failure. */
bool signals_block(sigset_t *set);

/* Unblocks all signals, for the program that a child is about to run. Returns false with errno on
 * failure. */
bool signals_unblock(void);

/* Sets all dispositions to default, because we may have inherited others: with SIGCHLD ignored, for
 * example, the kernel would reap our children. Returns whether SIGHUP was ignored, as nohup(1) does
 * it. */
bool signals_default(void);

/* Creates a signalfd for these signals, as a source, and watches it. Returns false with errno on
 * failure; the descriptor is -1 if it could not be created. */
bool signals_open(struct source *, const sigset_t *set,
                  void (*ready)(struct source *, uint32_t events));

/* Reads at most count pending signals. Returns how many it read, 0 if none is pending, or -1 with
 * errno on failure. */
int signals_read(const struct source *, struct signalfd_siginfo *infos, int count);

#endif

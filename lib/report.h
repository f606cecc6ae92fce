/*
 * report.h: what a driver says to its server. Each function puts a frame into the output, which has
 * room for it.
 */
#ifndef REPORT_H
#define REPORT_H

#include "link.h"

void report_hello(struct link *);

/* The answer to the request with that id. end_ns is when the task or job will end, if there is
 * one, on CLOCK_MONOTONIC. */
void report_state(struct link *, uint32_t id, enum proto_work, enum proto_refusal, int64_t end_ns);

/* A task has ended. */
void report_end(struct link *, enum proto_outcome);

/* A job has ended; id is the number of its RUN. */
void report_result(struct link *, uint32_t id, const struct proto_result *);

#endif

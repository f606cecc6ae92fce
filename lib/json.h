/*
 * json.h: what replies and the log of jobs say of a job in JSON. The functions append to a buffer
 * with room for that.
 */
#ifndef JSON_H
#define JSON_H

#include "buffer.h"
#include "job_result.h"

static_assert(TEXT_LOGGED_MAX + 4 * RESULT_SIZE <= BLOCK_SIZE, "a command and a RESULT fit");

enum {
    JSON_BYTE_MAX = TEXT_BYTE_MAX, /* what a byte of a command may become: \u00XX */
};

/* ,"command":"make test", with bytes that are no UTF-8 or not printable as \u00XX. */
void json_command(struct buffer *, const struct job_text *);

/* "exit":0 or "lost":"driver 4711 died (killed by signal 9)" or "timeout":true */
void json_result(struct buffer *, const struct job *);

#endif

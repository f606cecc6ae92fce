/*
 * job_text.h: the command lines of jobs. Most are short, and a hundred thousand may wait.
 */
#ifndef JOB_TEXT_H
#define JOB_TEXT_H

#include "../proto.h"
#include "text.h"

/* A command line, without a newline. The frame that carries it may be sent in part while its job
 * has gone to another driver, so the text counts its users. */
struct job_text {
    unsigned users;
    uint16_t size; /* in bytes */
    char bytes[];
};

/* Returns a copy of a command line of at most PROTO_TEXT_MAX bytes, with one user, or NULL if there
 * is no memory. */
struct job_text *job_text_new(const struct span *command);

/* Adds a user, and takes one away; the last one frees the text. */
struct job_text *job_text_share(struct job_text *);
void job_text_free(struct job_text *); /* may be NULL */

/* Returns how many bytes of a text the log shows. */
int job_text_shown(const struct job_text *);

/* How much memory the texts take, in bytes. */
size_t job_texts_bytes(void);

/* Whether all have been freed. */
bool job_texts_all_freed(void);
void job_texts_close(void);

#endif

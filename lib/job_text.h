/*
 * job_text.h: the command lines of jobs, or their words. Most are short, and a hundred thousand may
 * wait.
 */
#ifndef JOB_TEXT_H
#define JOB_TEXT_H

#include "../proto.h"
#include "text.h"

enum {
    TEXT_BYTE_MAX = 6, /* what a byte of a text may become when it is shown: in JSON, \u00XX */
    /* A command that the log of jobs has, quoted, may be this long. */
    TEXT_LOGGED_MAX = TEXT_BYTE_MAX * PROTO_TEXT_MAX,
};

/* A command line, without a newline; or words, each with a zero byte at its end. The frame that
 * carries it may be sent in part while its job has gone to another driver, so the text counts its
 * users. */
struct job_text {
    unsigned users;
    uint16_t size; /* in bytes */
    bool is_words;
    bool is_past; /* see job_text_set_past() */
    char bytes[];
};

/* Returns a copy of a command line, with one user, or NULL if there is no memory. It has at most
 * PROTO_TEXT_MAX bytes; if it is from the log of jobs, TEXT_LOGGED_MAX. */
struct job_text *job_text_new(const struct span *command);

/* Returns what people and logs see: the line, or the words as sh would read them, quoted where that
 * is necessary. It lasts until the next call. Escaped, it takes at most TEXT_BYTE_MAX for each byte
 * of the text. */
struct span job_text_shown(const struct job_text *);

/* Returns as much of that as the log shows. */
struct span job_text_logged(const struct job_text *);

/* Adds a user, and takes one away; the last one frees the text. */
struct job_text *job_text_share(struct job_text *);
void job_text_free(struct job_text *); /* may be NULL */

/* The text is what the log has of a job of an earlier server: it does not count in
 * job_texts_bytes(). */
void job_text_set_past(struct job_text *);

/* How much memory the texts take, in bytes. */
size_t job_texts_bytes(void);

/* Whether all have been freed. */
bool job_texts_all_freed(void);
void job_texts_close(void);

#endif

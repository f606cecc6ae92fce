/*
 * request.h: commands that are being answered.
 *
 * A request leaves its client's queue, in order, when its whole reply is in the client's output. It
 * owns its calls, see call.h.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "client.h"

enum {
    TEXT_SIZE = 512, /* of a line of text, in bytes: an Error, the stats */
};

struct request {
    struct list link; /* its client's requests */
    struct client *client;
    const struct format *format;
    struct list calls; /* those not written yet, in the order of their lines */
    const char *text;  /* the whole reply, if it waits for nothing; or NULL */
    size_t text_size;
    bool text_is_own;  /* the text is from request_text(), and the request owns it */
    const char *noun;  /* of what the last line of the reply counts, such as "driver"; or NULL */
    bool listing;      /* get_drivers: an unresponsive driver has a line, too */
    bool lists_jobs;   /* get_jobs */
    bool lists_ends;   /* get_jobs all */
    uint64_t last_job; /* get_jobs: the number of the last one that is written */
    unsigned lines;    /* lines that are written and count */
    unsigned to_start; /* create_driver: drivers that must still be started */
    unsigned starting; /* create_driver: drivers started, no HELLO yet */
};

/* Allocates the first objects. Returns false if there is no memory. */
bool requests_open(void);
void requests_close(void);

/* Appends a request to the client's queue. Returns it, or NULL if there is no memory. */
struct request *request_new(struct client *);
void request_free(struct request *);

/* Frees the request of a command that is not taken after all: it is held for lack of memory, or
 * gets an Error instead. */
void request_abandon(struct request *);

/* Returns a buffer of TEXT_SIZE, or NULL if there is no memory. */
char *request_text(void);
void request_text_free(char *);

/* Append a request that is answered at once: by a static text, or by one from request_text(), which
 * is freed with the request. Return false if there is no memory; the caller then still owns the
 * text. */
bool request_answer(struct client *, const char *text, size_t size);
bool request_answer_own(struct client *, char *text, size_t size);

#endif

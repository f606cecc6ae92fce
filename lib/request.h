/*
 * request.h: commands that are being answered.
 *
 * A request leaves its client's queue, in order, when all of its reply is written. It owns its
 * calls, see call.h.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "client.h"

enum {
    TEXT_SIZE = 512, /* a line that is made: an Error, the stats */
};

struct request {
    struct list link; /* client.requests */
    struct client *client;
    const struct format *format;
    struct list calls; /* that are not written yet, in the order of their lines */
    const char *text;  /* the reply, if it waits for nothing; or NULL */
    size_t text_size;
    bool text_is_own;  /* the text is from request_text() */
    bool counted;      /* it closes with "N drivers" */
    bool listing;      /* get_drivers: a driver that does not answer has its line, too */
    unsigned lines;    /* Driver lines that were written */
    unsigned to_start; /* create_driver: drivers that are not started yet */
    unsigned starting; /* create_driver: drivers that have not said HELLO yet */
};

/* Allocates the first objects. Returns false if there is no memory. */
bool requests_open(void);
void requests_close(void);

/* Appends a request to the client's queue. Returns NULL if there is no memory. */
struct request *request_new(struct client *);
void request_free(struct request *);

/* Frees the request of a command that was not taken after all: it is held for lack of memory, or
 * gets an Error instead. */
void request_abandon(struct request *);

/* Returns room for a line of TEXT_SIZE, or NULL if there is no memory. */
char *request_text(void);
void request_text_free(char *);

/* Appends a request that is answered at once: by a text that stays, or by one from request_text(),
 * which is freed with it. Return false if there is no memory; the text is then still the caller's.
 * */
bool request_answer(struct client *, const char *text, size_t size);
bool request_answer_own(struct client *, char *text, size_t size);

#endif

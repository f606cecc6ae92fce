/*
 * load.h: the server that load starts, and its commands and replies. All of it waits with a deadline, and
 * ends the program if anything goes wrong.
 */
#ifndef LOAD_H
#define LOAD_H

#include "bench.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    PATIENCE_MS = 60000,   /* for anything that has to happen */
    BLOCK_SIZE = 64 << 10, /* what a pipe holds */
    LINE_SIZE = 256,
    DRIVERS_MAX = 100000,
    COUNT_MAX = 1000000000,
};

extern struct server {
    pid_t pid;
    int in, out; /* its standard input and output; our ends are nonblocking */
    int log;     /* its standard error if that is not ours, else -1 */
    char text[BLOCK_SIZE];
    size_t start, end; /* where in text the output is that was read and not used yet */
    pid_t *drivers;
    long drivers_count;
} server;

/* log becomes the server's standard error, or -1 for ours. */
void server_start(char *const *argv, int log);
void server_start_plain(void);
/* Waits until the server has ended by itself, with status 0. */
void server_wait(void);
/* Ends the server by the end of its input. */
void server_end(void);
/* Waits until the server has nothing to do any more, which no event tells. */
void server_quiet(void);

/* Writes a short command. The server has read the commands before, so there is room. */
void say(const char *command);
/* Reads what there is of the output. */
void output_read(void);
/* Returns the next line of the output that was read, ended by 0, or NULL if there is none. */
char *line_next(void);
/* Waits for the next line of the output. */
char *reply(void);
/* Returns the pid in the reply "Driver PID Available". */
pid_t reply_available(void);
/* Takes the last line of a list. */
void reply_count(long expected);

/* Creates the drivers by one command. Returns the seconds that this took. */
double create(long count);
/* Returns how many drivers live; a zombie does not. */
long drivers_alive(void);
/* Asks all drivers in turn, rounds times, as many at once as the pipes hold. Returns the number of
 * questions. */
long ask_pipelined(long rounds);
/* Asks the driver and waits for its answer, with blocking pipes, as a simple client does. */
void ask_once(pid_t driver);

struct usage {
    int64_t cpu_ns; /* time on a processor */
    int64_t runs;   /* how many times it was put on one */
};
struct usage usage_of(pid_t pid);
void pause_ms(long ms);

/* Modes that have a file of their own. */
void run_tasks(char **args);
void run_calls(char **args);
void run_allocs(char **args);

#endif

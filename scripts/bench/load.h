/*
 * load.h: the server that load starts, and its commands and replies. Functions that wait have a
 * time limit. If anything goes wrong, the functions end the program.
 */
#ifndef LOAD_H
#define LOAD_H

#include "bench.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    PATIENCE_MS = 60000, /* for anything that must happen */
    LINE_SIZE = 256,
    DRIVERS_MAX = 100000,
    COUNT_MAX = 1000000000,
};

extern struct server {
    char *program;
    pid_t pid;
    int in, out; /* its standard input and output; our ends are nonblocking */
    int log;     /* our end of its standard error; -1 if it has ours */
    char text[BLOCK_SIZE];
    size_t start, end; /* offsets in text: output that is read, but not used yet */
    pid_t *drivers;
    long drivers_count;
} server;

/* Starts the server. log becomes its standard error; if log is -1, it has ours. */
void server_start(char *const *argv, int log);
void server_start_plain(void);
/* Waits until the server has exited with status 0. */
void server_wait(void);
/* Ends the server by closing its input. */
void server_end(void);
/* Waits until the server has nothing left to do, for which there is no event. */
void server_quiet(void);
/* Waits likewise for the server and all drivers, which have answered everything. */
void all_quiet(void);

/* Writes a short command. The server has read the commands before, so there is room. */
void say(const char *command);
/* Reads the output that is there. */
void output_read(void);
/* Returns the next line of the output that was read, as a string without newline, or NULL if there
 * is none. */
char *line_next(void);
/* Waits for the next line of the output, and returns it. */
char *reply(void);
/* Returns the pid in the reply "Driver PID Available". */
pid_t reply_available(void);
/* Reads the last line of a list, which must say that count. */
void reply_count(long expected);

/* Creates count drivers by one command. Returns the seconds that this took. */
double create(long count);
/* Returns how many drivers are alive, without zombies. */
long drivers_alive(void);
/* Asks all drivers in turn, rounds times, as many at once as the pipes hold. Returns the number of
 * questions. */
long ask_pipelined(long rounds);
/* Asks the driver and waits for its answer, with blocking pipes, as a simple client does. */
void ask_once(pid_t driver);

struct usage {
    int64_t cpu_ns; /* CPU time */
    int64_t runs;   /* how often the kernel ran the process */
};
struct usage usage_of(pid_t pid);
void pause_ms(long ms);

/* The modes that have their own file. */
void run_tasks(char **args);
void run_calls(char **args);
void run_allocs(char **args);
void run_queue(char **args);
void run_waiting(char **args);
void run_clients(char **args);

#endif

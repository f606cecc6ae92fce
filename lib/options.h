/*
 * options.h: the command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "environment.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DRIVERS_MAX = 100000,  /* the most that create_driver or --drivers may ask for */
    OUTPUT_PATH_MAX = 512, /* bytes of --output, since replies contain it */
};

/* Which jobs of the log need not run again. */
enum resume_choice {
    RESUME_NONE,
    RESUME_DONE,   /* those that are Done */
    RESUME_FAILED, /* those that ended with exit 0 */
};

/* What follows from the first job of a batch that fails. */
enum halt_choice {
    HALT_NEVER,
    HALT_SOON, /* no other job begins */
    HALT_NOW,  /* and those that run are cancelled */
};

/* Only this module sets them; all others read them. The strings are in argv, or static. */
extern struct options {
    const char *driver_path;
    const char *listen_path;              /* NULL: standard input is the only client */
    const char *connect_path;             /* NULL: we are a server */
    const char *log_path;                 /* NULL: no log of jobs is kept */
    const char *output_path;              /* NULL: what jobs write goes to standard error */
    const char *start_timeout, *watchdog; /* as they were given */
    enum resume_choice resume;
    enum halt_choice halt;
    char **each;         /* words, then NULL; NULL: standard input has commands, not names */
    uint64_t each_ms;    /* the limit of each job of --each */
    char name_separator; /* a newline, or a zero byte */
    struct environment_choice environment;
    unsigned drivers; /* how many drivers to keep */
    int ready_fd;     /* where to report that we are ready; -1: nowhere */
    int listen_fd;    /* the socket at listen_path that a service manager has made; -1: none */
    bool taxi;        /* we are the client program by our name */
    bool here;        /* a client's jobs run in its own directory */
    bool json;
    bool progress; /* and standard error is a terminal */
    bool verbose;
    int64_t grace_ns;
    int64_t linger_ns;
    int64_t reply_timeout_ns;
    int64_t start_timeout_ns;
    int64_t watchdog_ns; /* 0: kept drivers are not watched */
} options;

/* Whether others than standard input can be clients, so that the server outlives its end. */
bool options_serve_others(void);

/* Sets the name that err(3) puts first; with the name "taxi", we are the client program. */
void options_name(void);

/* Parses the options. Returns the words after them, which are a client's command. Exits with status
 * 2 if something is wrong, and after --help and --version. */
char **options_parse(int argc, char **argv);
void options_close(void);

/* Sets driver_path, unless --driver did: to the program beside our own binary, or where make
 * install puts it; never in the working directory or in PATH. If the program is in neither place,
 * create_driver will fail. Exits if our own binary cannot be found. */
void options_find_driver(void);

/* Reports what is wrong with the command line, and exits with status 2. */
__attribute__((noreturn, format(printf, 1, 2))) void usage_error(const char *format, ...);

#endif

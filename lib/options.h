/*
 * options.h: the command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DRIVERS_MAX = 100000,  /* that one create_driver, or --drivers, may ask for */
    OUTPUT_PATH_MAX = 512, /* bytes of --output, which replies name */
};

/* Set by options_parse() and from then on read only. The strings are those of argv. */
extern struct options {
    const char *driver_path;
    const char *listen_path;  /* NULL: standard input is the only client */
    const char *connect_path; /* NULL: we are a server */
    const char *output_path;  /* NULL: what jobs write goes to standard error */
    unsigned drivers;         /* that are kept */
    int ready_fd;             /* -1: none */
    bool json;
    bool verbose;
    int64_t grace_ns;
    int64_t reply_timeout_ns;
} options;

/* Parses the options. Returns the words after them, which are a command for --connect. Exits if
 * something is wrong, with status 2, or if only help or the version was asked for. */
char **options_parse(int argc, char **argv);

/* Finds the driver program, unless --driver says where it is: beside our own binary, or where make
 * install puts it; never in the working directory or in PATH. Where it is in neither place,
 * create_driver will say so. Exits if our own binary cannot be found. */
void options_find_driver(void);

/* Says what is wrong with the command line and exits with status 2. */
__attribute__((noreturn, format(printf, 1, 2))) void usage_error(const char *format, ...);

#endif

/*
 * output.h: the directory of --output, where each job has the files NUMBER.out and NUMBER.err.
 *
 * The directory must be ours, and writable for nobody else, so that only we and root can make,
 * rename or replace files in it. It is opened once: it stays the same if its path is renamed or
 * replaced. The drivers, which make the files, find it by output_identity().
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

/* If there is --output, opens the directory, and makes it if there is none. Returns the highest
 * number that files there have, or 0. Exits if the directory cannot be used. */
uint64_t output_open(void);
void output_close(void);

/* Whether the directory has a file of a job with that number, which then cannot begin. */
bool output_has(uint64_t number);

/* The identity of the directory, see directory.h, and a path in /proc that leads there as long as
 * we have it open, even if it has been renamed. NULL if there is no --output. */
const char *output_identity(void);
const char *output_link(void);

#endif

/*
 * driver_log.h: a driver's log, on standard error.
 *
 * It uses no stdio, allocates nothing and keeps no descriptor open, because ten thousand drivers
 * may be waiting. It does not block on a pipe, terminal or socket: what cannot be written at once
 * is lost.
 */
#ifndef DRIVER_LOG_H
#define DRIVER_LOG_H

/* Logs one line, "driver[PID]: what". If error, an errno, is not 0, its text follows. */
void driver_log(const char *what, int error);

#endif

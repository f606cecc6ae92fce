/*
 * driver_log.h: a driver's log, on standard error.
 *
 * It uses no stdio, allocates nothing and holds no descriptor open, because ten thousand drivers
 * may be waiting. It never blocks: what cannot be written at once is lost.
 */
#ifndef DRIVER_LOG_H
#define DRIVER_LOG_H

/* Logs one line, "driver[PID]: what", and the system's reason unless error is 0. */
void driver_log(const char *what, int error);

#endif

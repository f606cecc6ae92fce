/*
 * job_commands.h: the commands that give work, wait for it and end it.
 */
#ifndef JOB_COMMANDS_H
#define JOB_COMMANDS_H

#include "handler.h"

enum handling do_send_task(struct client *, const struct span *args, unsigned count);
/* Gives a new job to the driver that a word names, or to any; or answers with what became of it
 * already, or with an Error. Frees the job if it is not taken. */
enum handling command_give_job(struct client *, const struct span *word, struct job *);

/* Answers that there is no memory for the job. */
enum handling command_lacks_memory(struct client *);

enum handling do_run(struct client *, const struct span *args, unsigned count);
enum handling do_submit(struct client *, const struct span *args, unsigned count);
enum handling do_cancel_task(struct client *, const struct span *args, unsigned count);
enum handling do_wait(struct client *, const struct span *args, unsigned count);
enum handling do_get_jobs(struct client *, const struct span *args, unsigned count);
enum handling do_wait_job(struct client *, const struct span *args, unsigned count);
enum handling do_cancel_job(struct client *, const struct span *args, unsigned count);
enum handling do_pause(struct client *, const struct span *args, unsigned count);
enum handling do_resume(struct client *, const struct span *args, unsigned count);

/* Goes on from the log of jobs: tells what is lost, and submits the jobs that had not begun. */
void jobs_resume(void);

#endif

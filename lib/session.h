/*
 * session.h: --connect: this binary as a client of a server.
 */
#ifndef SESSION_H
#define SESSION_H

/* Gives the server at options.connect_path the command that is in words or, if there are no words,
 * the commands on standard input, and prints the replies. Returns the exit status; exits if there
 * is no server, or standard input or output fails. */
int session_run(char **words);

#endif

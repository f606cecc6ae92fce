/*
 * session.h: --connect: the other program in this binary, which is a client of a server.
 */
#ifndef SESSION_H
#define SESSION_H

/* Has the server at options.connect_path do what standard input says or, if there are any, these
 * words. Returns the exit status; exits if there is no server. */
int session_run(char **words);

#endif

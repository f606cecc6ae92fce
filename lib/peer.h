/*
 * peer.h: who is at the other end of a connection.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether the user id that SO_PEERCRED gave stands for one user. All users that do not exist in our
 * user namespace have one id, the overflow uid, user_namespaces(7), which may also be our own. */
bool peer_is_user(const struct ucred *peer);

#endif

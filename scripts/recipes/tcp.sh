#!/bin/bash
# Opens a TCP port that leads to a server's control socket, by socat(1). Whoever can connect to the
# port gives commands, which run programs as the user of this script: on 127.0.0.1 that is everybody
# on this machine, and no password is needed. To let only some in, forward the socket by ssh.sh, or
# add a filter of socat (range=10.1.2.0/24, or OPENSSL-LISTEN with certificates). A client that is
# killed in the middle of a line looks as if it had ended its input there: the half line is run.
#
#   scripts/recipes/tcp.sh SOCKET [PORT [ADDRESS]]     the default is 8080 on 127.0.0.1
set -eu

# A client may end its input and still read replies for as long as its jobs take; by default socat
# would close the connection half a second later.
REPLIES_MAX=31536000 # seconds

main() {
    local socket=$1 port=${2:-8080} address=${3:-127.0.0.1}
    exec socat -t "$REPLIES_MAX" "TCP-LISTEN:$port,bind=$address,fork,reuseaddr" "UNIX-CONNECT:$socket"
}

[[ $# -ge 1 && $# -le 3 && $1 != -* ]] || { echo 'usage: tcp.sh SOCKET [PORT [ADDRESS]]' >&2; exit 2; }
main "$@"

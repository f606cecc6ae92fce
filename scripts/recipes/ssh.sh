#!/bin/bash
# Makes a socket on this machine that leads to the control socket of a server on another machine,
# through ssh(1), until it is interrupted. Whoever can open the local socket gives commands, which run
# as the server's user over there; it has mode 0600, so that is you, and root. On the other machine the
# login must be the server's user or root, because the server refuses all others.
#
#   scripts/recipes/ssh.sh [USER@]HOST [REMOTE [LOCAL [SSH-OPTION...]]]
#       REMOTE is /run/taxi/control, LOCAL is taxi.sock; then: taxi --connect taxi.sock get_drivers
set -eu

main() {
    local host=$1 remote=${2:-/run/taxi/control} local=${3:-taxi.sock}
    [[ $local == */* ]] || local=./$local # without a slash, ssh would take it for a port
    exec ssh -N -o ExitOnForwardFailure=yes -o StreamLocalBindUnlink=yes -o StreamLocalBindMask=0177 \
        "${@:4}" -L "$local:$remote" "$host"
}

[[ $# -ge 1 && $1 != -* ]] || { echo 'usage: ssh.sh [USER@]HOST [REMOTE [LOCAL [SSH-OPTION...]]]' >&2; exit 2; }
main "$@"

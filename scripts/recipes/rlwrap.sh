#!/bin/bash
# The server at a terminal with editing keys, a history that lasts, and completion of commands by Tab:
#
#   rlwrap.sh [OPTION...]      SERVER=./server names another program than taxi-server
#
# Options are the server's, so this is also a client: rlwrap.sh --connect taxi.sock. It needs rlwrap(1).
set -eu
server=${SERVER:-taxi-server}

words=$(mktemp)
trap 'rm "$words"' EXIT
"$server" <<<help | grep -o '^[a-z_]* ' >"$words"
rlwrap --file "$words" "$server" "$@"

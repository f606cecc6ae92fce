#!/bin/bash
# A server that takes commands from a FIFO, into which any number of scripts can write at any time:
#
#   fifo.sh DIR [OPTION...] &             serves the FIFO DIR/commands; replies and the log go to files in DIR
#   echo 'submit 60 make' >DIR/commands   gives a job; SERVER=./server names another program than taxi-server
#   echo quit >DIR/commands               ends the server once its jobs have ended; TERM cancels them
#
# The kernel takes up to 4096 bytes in one piece, and no line is longer, so lines that are written at once, as by echo
# and printf of a shell, are never torn. Do not let cat(1) write a long file there: its pieces end in the middle of
# lines, and the rest of such a line, like that of a writer that dies, may be another writer's command. A writer does
# not see the reply to its command; if it needs that, or writes otherwise, use a control socket.
set -eu
server=$(command -v "${SERVER:-taxi-server}") || { echo "fifo: there is no ${SERVER:-taxi-server}" >&2; exit 1; }
server=$(realpath "$server")
cd "$1"
[ -p commands ] || mkfifo -m 600 commands # it stays for the next time

# The server is a writer of its own FIFO, so the end of another writer is not the end of its input.
exec "$server" --drivers 2 "${@:2}" <>commands >>replies 2>>log

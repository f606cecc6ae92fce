#!/bin/bash
# submit.sh TOOL COUNT: puts /bin/true into the queue of the tool (tsp, or server for ours) COUNT times,
# by one client process each, and prints how many it took per second. No job begins: the one slot of
# tsp is busy, and our server pauses. Each gets a server of its own, which is ended again. COUNT is at
# most 900: tsp keeps a process and a connection for each job that waits, and takes no more than 1000.
set -eu
[ $# = 2 ] || { echo 'usage: submit.sh TOOL COUNT' >&2; exit 2; }
tool=$1 count=$2
((count <= 900)) || { echo 'submit.sh: tsp takes no more than 900' >&2; exit 2; }
dir=$(mktemp -d)
server=

# ours WORD...: gives our server a command.
ours() {
    ./server --connect "$dir/socket" "$@"
}

begin() {
    case $tool in
    tsp)
        export TS_SOCKET=$dir/socket TMPDIR=$dir
        tsp -S 1
        tsp -n sleep 1000 >"$dir/ids"
        ;;
    server)
        coproc SERVER { exec ./server --listen "$dir/socket" --ready-fd 3 3>&1 </dev/null 2>"$dir/log"; }
        server=$SERVER_PID
        read -r -t 60 -u "${SERVER[0]}"
        ours pause >"$dir/ids"
        ;;
    esac
}

# shellcheck disable=SC2317 # called by the trap
end() {
    case $tool in
    tsp)
        tsp -k || true
        tsp -K || true
        ;;
    server)
        ours shutdown || true
        wait "$server" || true
        ;;
    esac
    rm -rf "$dir"
}

submit() {
    case $tool in
    tsp) tsp -n /bin/true ;;
    server) ours submit 60 /bin/true ;;
    esac
}

trap end EXIT
begin
start=${EPOCHREALTIME/./}
for ((i = 0; i < count; i++)); do
    submit
done >>"$dir/ids"
end=${EPOCHREALTIME/./}
echo $((count * 1000000 / (end - start)))

#!/bin/bash
# Deals random blows to a server, its drivers and its clients, then audits the books.
#
#   scripts/torture/storm.sh [SECONDS [SEED]]      10 seconds, seed 1
#
# Blows (storm/blows.sh): KILL, STOP, CONT and TERM to random drivers, some of which the server
# keeps; tasks, jobs, cancels, lists, floods of questions and nonsense, creations and deletions to
# the server; signals that it ignores. At the same time clients come to its control socket, ask,
# stay, flood, vanish and are killed (storm/client.pl). Replies are read all the while, and counted:
# one for each command, each in its turn.
#
# The audit (storm/audit.sh) continues all drivers, and the clients are gone. The listed drivers are
# the children that live; none is a zombie; nothing is left of the jobs. Each kept driver that was
# killed was replaced, and nothing else was, by the server's log, by its stats, and by what was
# dealt. The server has forgotten clients that went while they waited for a task that lasts or for a
# driver that was stopped. Descriptors and memory are as they were with as many drivers at the
# start; nothing moves; and TERM ends the server with status 0, and leaves neither a driver nor its
# socket.
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
source scripts/torture/storm/blows.sh
source scripts/torture/storm/audit.sh
DRIVERS=10
KEPT=6
POLITE_MAX=2 # how many kept drivers the storm may delete or tell to exit; these are not replaced
CLIENTS=4

main() {
    check_numbers "$@"
    seconds=${1:-10}
    RANDOM=${2:-1} # seeds bash's generator: the same blows, though not at the same moments
    make -s || exit
    start
    take_stock
    rage
    audit
    stop
    echo "storm: $blows blows in $seconds s, $((said + answered)) commands answered, $answered of them to" \
        "clients that came and went; another $vanished vanished; $replaced drivers replaced; books in order"
}

# Starts a server with a log, err, and our own book, deeds.
start() {
    export STORM=$$ # in the arguments of all that jobs leave behind
    dir=$(mktemp -d) || exit
    server='' clients=() drivers=() said=0 polite=0
    declare -gA made=()
    trap finish EXIT
    mkfifo "$dir/in" "$dir/out"
    : >"$dir/deeds"
    ./server -v -t 0.05 -g 0.2 --drivers $KEPT --listen "$dir/socket" <"$dir/in" >"$dir/out" 2>"$dir/err" &
    server=$!
    exec {to}>"$dir/in" {from}<"$dir/out"
}

# Has everything allocated that is allocated once, and notes what the server takes.
take_stock() {
    refill
    flood
    perl "$TORTURE/storm/warm.pl" "$dir/socket" $((6 * CLIENTS)) || fail 'the first clients fail'
    forget_the_gone
    quiet || fail 'it is not idle with nothing to do'
    descriptors_before=$(descriptors)
    memory_before=$(memory)
}

# The storm itself.
rage() {
    local i end
    for ((i = 0; i < CLIENTS; i++)); do
        perl "$TORTURE/storm/client.pl" ./server "$dir/socket" "$RANDOM" "$dir/stop" >"$dir/client$i" 2>&1 &
        clients+=($!)
    done
    blows=0
    end=$((SECONDS + seconds))
    while ((SECONDS < end)); do
        blow
        blows=$((blows + 1))
        ((blows % 50)) || refill
    done
    refill
    : >"$dir/stop"
    for ((i = 0; i < CLIENTS; i++)); do
        wait "${clients[i]}" || fail "client $i: $(cat "$dir/client$i")"
    done
    clients=()
    read -r answered vanished < <(awk '{ a += $1; v += $2 } END { print a, v }' "$dir"/client*)
}

# Ends the server by TERM.
stop() {
    kill -TERM "$server"
    await_end "$server" || fail 'TERM does not end it'
    wait "$server" || fail "status $?"
    for driver in $children; do
        [ ! -e "/proc/$driver" ] || fail "driver $driver is left"
    done
    [ ! -e "$dir/socket" ] || fail 'the socket is left'
}

fail() {
    echo "storm: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

finish() {
    # shellcheck disable=SC2086 # no server, no word
    kill -KILL $server "${clients[@]}" 2>/dev/null
    rm -rf "$dir"
}

main "$@"

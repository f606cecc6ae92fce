#!/bin/bash
# Deals random blows to a server, its drivers and its clients, then audits the books.
#
#   scripts/torture/storm.sh [SECONDS [SEED]]      by default 10 seconds, seed 1
#
# The blows (storm/blows.sh): random drivers, some of them kept by the server, get KILL, STOP, CONT
# and TERM. The server gets tasks, jobs, cancellations, lists, floods of questions, nonsense,
# creations, deletions, and signals that it ignores. At the same time clients connect to its control
# socket, ask, stay, flood, vanish and are killed, also in the middle of a line (storm/client.pl).
# All replies are read and checked: each command must have one, in the right order.
#
# The audit (storm/audit.sh) continues all drivers, after the clients have gone. Then
#
#   - the listed drivers must be the server's children, and none of these a zombie
#   - no process of a job may be left, and each job that has its reply must have run as often as the
#     reply says (storm/deeds.pl); no job twice, and no half line of a client that has died
#   - each kept driver that got KILL or TERM must have been replaced, and no other one: the server's
#     log, its stats and the book of blows must agree on that
#   - the server must forget clients that go while they wait for a busy or a stopped driver
#   - the server must have no more descriptors and memory than at the start, and be idle
#   - TERM must end it with status 0, and leave neither a driver nor the socket
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
source scripts/torture/storm/blows.sh
source scripts/torture/storm/audit.sh
DRIVERS=10
KEPT=6
DELETE_MAX=2 # how many kept drivers the storm may delete; these are not replaced
CLIENTS=4

main() {
    check_numbers "$@"
    seconds=${1:-10}
    RANDOM=${2:-1} # seeds bash's generator: each run has the same blows, at other moments
    make -s || exit
    start
    take_stock
    rage
    audit
    stop
    echo "storm: $blows blows in $seconds s; $((said + answered)) commands answered, $answered of" \
        "them at the control socket; $jobs; $vanished clients vanished, $halves in the middle of a" \
        "line; $replaced drivers replaced; books in order"
}

# Starts a server. Its log is the file "err"; our own book is the file "deeds".
start() {
    dir=$(mktemp -d) || exit
    export STORM=$$ # in the arguments of all that jobs leave behind
    export RAN=$dir/ran
    server='' clients=() drivers=() said=0 deleted=0
    declare -gA made=()
    trap finish EXIT
    mkfifo "$dir/in" "$dir/out"
    touch "$dir/deeds" "$dir/book"
    ./server -v -t 0.05 -g 0.2 --drivers $KEPT --listen "$dir/socket" <"$dir/in" >"$dir/out" 2>"$dir/err" &
    server=$!
    exec {to}>"$dir/in" {from}<"$dir/out"
}

# Makes the server allocate whatever it allocates only once, then notes its descriptors and memory.
take_stock() {
    refill
    flood
    perl "$TORTURE/storm/warm.pl" "$dir/socket" $((6 * CLIENTS)) || fail 'the first clients failed'
    forget_the_gone
    quiet || fail 'the server is not idle although it has nothing to do'
    descriptors_before=$(descriptors)
    memory_before=$(memory)
}

rage() {
    local i end
    for ((i = 0; i < CLIENTS; i++)); do
        perl "$TORTURE/storm/client.pl" ./server "$dir/socket" "$RANDOM" "$dir/stop" "$dir/book$i" \
            >"$dir/client$i" 2>&1 &
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
    read -r answered vanished halves < <(awk '{ a += $1; v += $2; h += $3 } END { print a, v, h }' "$dir"/client*)
}

# Ends the server by TERM.
stop() {
    kill -TERM "$server"
    await_end "$server" || fail 'TERM does not end the server'
    wait "$server" || fail "the server ended with status $?"
    for driver in $children; do
        [ ! -e "/proc/$driver" ] || fail "driver $driver is left over"
    done
    [ ! -e "$dir/socket" ] || fail 'the socket is left over'
}

fail() {
    echo "storm: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

finish() {
    # shellcheck disable=SC2086 # $server may be empty
    kill -KILL $server "${clients[@]}" 2>/dev/null
    rm -rf "$dir"
}

main "$@"

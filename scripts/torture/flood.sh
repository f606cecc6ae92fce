#!/bin/bash
# Floods a server, has its readers and drivers misbehave, and measures what it costs.
#
#   scripts/torture/flood.sh [MEGABYTES [COMMANDS]]      1000 megabytes, 1000000 commands; at least 100000,
#                                                        more than the server holds
#
# Each row of the table is a server of its own: what is done to it, how much of it, the seconds that
# this took, the server's peak memory in KiB (VmHWM), the milliseconds from TERM to its end, and a
# verdict. The verdict is WRONG, with the reason, if memory exceeded 16 MiB; if TERM took longer
# than the grace period and half a second; if a reply was lost, doubled or out of order; if the exit
# status was another, a driver was left, or the log lacked a line that was due; if the trouble of
# one driver kept an answer of another waiting for over 100 ms; or if clients that flood kept more
# than one in 100 answers to another client waiting that long. A WRONG row is a failure. Times are
# without those in which server, driver and client waited for a processor: a loaded machine is no
# fault of the server's.
# shellcheck disable=SC2317 # row calls functions by name
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
source scripts/torture/flood/server.sh
source scripts/torture/flood/streams.sh
source scripts/torture/flood/drivers.sh
source scripts/torture/flood/crowds.sh
export LC_ALL=C SHELL=$BASH # script(1) would take the user's shell
SERVER=$ROOT/server
MEMORY_MAX_KB=16384
GRACE_S=1
STOP_MAX_MS=$((GRACE_S * 1000 + 500))
ANSWER_MAX_US=100000

main() {
    check_numbers "$@"
    megabytes=${1:-1000} commands=${2:-1000000}
    ((commands >= 100000)) || usage 2 >&2
    DEADLINE=$((PATIENCE + megabytes + commands / 1000)) # seconds, for any event; that a whole flood was taken is one
    make -s || exit
    dir=$(mktemp -d) || exit
    server='' to='' from='' keys='' wrong=0
    trap 'sweep; rm -rf "$dir"' EXIT
    trap exit INT TERM HUP
    printf '%-50s %8s %7s %6s %5s  %s\n' row size seconds KiB TERM verdict
    stream_rows
    crowd_rows
    driver_rows
    exit $wrong
}

# row NAME SIZE FUNCTION ARGUMENT...
row() {
    local start=${EPOCHREALTIME/./} tenths
    why='' note='' peak=- stop_ms=- server='' runner='' writer='' reader='' to='' from='' keys=''
    drivers=()
    mkdir "$dir/row" && cd "$dir/row" || exit
    "${@:3}" || [[ -n $why ]] || flaw 'it went no further'
    [[ $peak == - ]] || ((peak <= MEMORY_MAX_KB)) || flaw "over $MEMORY_MAX_KB KiB"
    tenths=$(((${EPOCHREALTIME/./} - start) / 100000))
    printf '%-50s %8s %7s %6s %5s  %s\n' "$1" "$2" "$((tenths / 10)).$((tenths % 10))" \
        "$peak" "$stop_ms" "${why:+WRONG: }${why:-ok}$note"
    if [[ -n $why ]]; then
        wrong=1
        tail -n 3 err
    fi
    sweep
}

# Ends what the row has left behind, which is much only if it went wrong.
sweep() {
    local fd job jobs
    jobs=$(jobs -pr) # children of this shell that run: their pids are theirs
    disown -a         # or bash would report each that is killed
    [[ -z $server || ! /proc/$server/exe -ef $SERVER ]] || kill -KILL "$server"
    for job in $jobs; do
        kill -KILL "$job" 2>/dev/null
        until ended "$job"; do pause 0.01; done
    done
    for fd in $to $from $keys; do
        exec {fd}>&-
    done
    cd "$ROOT" && rm -rf "$dir/row"
}

main "$@"

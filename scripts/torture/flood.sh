#!/bin/bash
# Floods servers with input, has their readers, clients and drivers misbehave, and measures the
# cost.
#
#   scripts/torture/flood.sh [MEGABYTES [COMMANDS]]
#
#   MEGABYTES    of input without commands; by default 1000
#   COMMANDS     of a flood; by default 1000000, at least 100000, more than the server queues
#
# Each row of the table has a server of its own. It shows what was done to the server, how much of
# it, the seconds that this took, the server's peak memory in KiB (VmHWM), the milliseconds from
# SIGTERM to its end, and a verdict. The verdict is WRONG, with the reason, if
#
#   - the server used more than 16 MiB of memory; with 1000 clients that flood, more than two blocks of
#     64 KiB for each, or more than 16 MiB after they have gone
#   - it ended later than half a second after the grace period
#   - a reply was lost, repeated or out of order
#   - the exit status was wrong, a driver was left over, or the log lacked a line
#   - half a line of a client that had died was run, or a line of such a client is not accounted for
#   - the trouble of one driver delayed an answer of another one by more than 100 ms
#   - clients that flood delayed more than 1 in 100 answers to another client by more than 100 ms
#
# If any row is WRONG, the script fails. The time in which server, driver and client waited for a
# processor does not count, since the server is not responsible for a loaded machine.
# shellcheck disable=SC2317 # row calls functions by name
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
source scripts/torture/flood/server.sh
source scripts/torture/flood/streams.sh
source scripts/torture/flood/drivers.sh
source scripts/torture/flood/crowds.sh
export LC_ALL=C SHELL=$BASH # for script(1), which runs $SHELL
SERVER=$ROOT/server
MEMORY_MAX_KB=16384
GRACE_S=1
STOP_MAX_MS=$((GRACE_S * 1000 + 500))
ANSWER_MAX_US=100000

main() {
    check_numbers "$@"
    megabytes=${1:-1000} commands=${2:-1000000}
    ((commands >= 100000)) || misused 'COMMANDS must be at least 100000'
    # Seconds to wait for any event, such as the end of a flood.
    DEADLINE=$((PATIENCE + megabytes + commands / 1000))
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

# row NAME SIZE FUNCTION ARGUMENT...: calls the function in a directory of its own, and prints the
# row.
row() {
    local start=${EPOCHREALTIME/./} tenths
    why='' note='' peak=- stop_ms=- memory_max_kb=$MEMORY_MAX_KB server='' runner='' writer='' reader='' to='' from='' keys=''
    drivers=()
    mkdir "$dir/row" && cd "$dir/row" || exit
    "${@:3}" || [[ -n $why ]] || flaw 'it failed'
    [[ $peak == - ]] || ((peak <= memory_max_kb)) || flaw "over $memory_max_kb KiB"
    tenths=$(((${EPOCHREALTIME/./} - start) / 100000))
    printf '%-50s %8s %7s %6s %5s  %s\n' "$1" "$2" "$((tenths / 10)).$((tenths % 10))" \
        "$peak" "$stop_ms" "${why:+WRONG: }${why:-ok}$note"
    if [[ -n $why ]]; then
        wrong=1
        tail -n 3 err
    fi
    sweep
}

# Ends the processes of the row that still run, and removes its files. Few are left if it went well.
sweep() {
    local fd job jobs
    jobs=$(jobs -pr) # children of this shell: we have not reaped them, so no pid can be reused
    disown -a        # or bash would report each one that is killed
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

# The examples of tests/examples, which are built from lib's base alone.
# shellcheck shell=bash

EXAMPLES=$ROOT/${TEST_EXAMPLES:-build/examples}

# example NAME ARGUMENT...: starts it, with its output and its errors in the files of these names.
example() {
    rm -f output errors
    "$EXAMPLES/$1" "${@:2}" >output 2>errors 3>&- &
    server_pid=$!
    started+=("$server_pid")
}

# The example sleeps, and did not run between two looks: what spins never does that.
idle() {
    local before
    before=$(cut -d' ' -f14,15 "/proc/$server_pid/stat")
    in_state "$server_pid" S || return
    pause
    pause
    pause
    in_state "$server_pid" S && [ "$(cut -d' ' -f14,15 "/proc/$server_pid/stat")" = "$before" ]
}

# watches EVENTS COUNT: it waits for these events, a sum in hex, at that many descriptors.
watches() {
    (($(cat "/proc/$server_pid/fdinfo"/* 2>/dev/null | grep -cE "^tfd: .* events: +$1 ") == $2))
}

# All but those of faults, as in signals.bats; of a sanitizer there are handlers for faults.
signals_are_read() {
    local blocked=0xffffffffbffbfa07
    ((0x$(status_field "$server_pid" SigBlk) == blocked)) &&
        (((0x$(status_field "$server_pid" SigCgt) & blocked) == 0)) &&
        [[ $(readlink "/proc/$server_pid/fd/"*) == *'[signalfd]'* ]]
}

# ends_soon COMMAND...: starts an example by that; TERM then ends it sooner than its alarm would, at
# least in one of ten tries.
ends_soon() {
    local i before
    for i in {1..10}; do
        "$@"
        before=$(uptime_ms)
        kill -TERM "$server_pid"
        server_ends 0
        (($(uptime_ms) - before >= 900)) || return 0
    done
    fail 'waited for its alarm, ten times'
}

# The programs of tests/examples, which use lib's base alone.
# shellcheck shell=bash

EXAMPLES=$ROOT/${TEST_EXAMPLES:-build/examples}

# example NAME ARGUMENT...: starts an example. Its standard output goes to the file output, its
# standard error to the file errors. Sets server_pid.
example() {
    rm -f output errors
    "$EXAMPLES/$1" "${@:2}" >output 2>errors 3>&- &
    server_pid=$!
    started+=("$server_pid")
}

# The example sleeps, and used no processor time between two looks; a program that spins never does.
idle() {
    local before
    before=$(ticks)
    in_state "$server_pid" S || return
    pause
    pause
    pause
    in_state "$server_pid" S && [[ $(ticks) == "$before" ]]
}

# watches EVENTS COUNT: the example waits for these events (a hexadecimal sum) at that many
# descriptors.
watches() {
    (($(cat "/proc/$server_pid/fdinfo"/* 2>/dev/null | grep -cE "^tfd: .* events: +$1 ") == $2))
}

# All signals but faults are blocked, as in signals.bats, and there is a signalfd. Handlers for
# faults may be a sanitizer's.
signals_are_read() {
    local blocked=0xffffffffbffbfa07
    ((0x$(status_field "$server_pid" SigBlk) == blocked)) &&
        (((0x$(status_field "$server_pid" SigCgt) & blocked) == 0)) &&
        [[ $(readlink "/proc/$server_pid/fd/"*) == *'[signalfd]'* ]]
}

# ends_soon COMMAND...: the command starts an example, and TERM then ends it sooner than its alarm
# would, in at least one of ten tries.
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

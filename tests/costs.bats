#!/usr/bin/env bats
# What can be counted of what the server costs, on the normal build. What has to be timed is measured
# by make bench, and asserted nowhere.

load helpers

@test "a pipelined command costs less than a tenth of a system call, in the server and in the driver" {
    command -v strace >/dev/null || skip 'no strace to count with'
    cd "$ROOT"
    run -0 build/bench/load calls 50000
    read -r server driver <<<"$output"
    awk -v server="$server" -v driver="$driver" 'BEGIN {
        exit !(server > 0 && server < 0.1 && driver > 0 && driver < 0.1) }' || fail "$output"
}

@test "nothing is allocated or freed once drivers and clients exist" {
    cd "$ROOT"
    run -0 build/bench/load allocs 20000 build/bench/count-allocs.so
    [ "$output" = 0 ]
}

@test "a thousand idle drivers: no wakeup, and none is left after TERM" {
    cd "$ROOT"
    run -0 build/bench/load many 1000
    read -r _ _ _ wakeups left <<<"$output"
    [ "$wakeups $left" = '0 0' ]
}

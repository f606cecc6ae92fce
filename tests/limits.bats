#!/usr/bin/env bats
# Limits that no reply shows: how many drivers start at a time, and which of several deadlines comes
# first.

load lib/helpers
load lib/looks

@test "limits: a create_driver starts exactly 32 drivers at a time" {
    puppet silent await:go hello pause
    start_server -g 0.1 --start-timeout 100 --driver ./silent
    say 'create_driver 40'
    wait_until field_above starting 31
    stays starting 32
    : >go
    for _ in {1..40}; do
        expect 'Driver * Available'
    done
    expect '40 drivers'
}

@test "limits: --drivers starts exactly 32 drivers at a time" {
    puppet silent await:go hello pause
    start_server -g 0.1 --start-timeout 100 --drivers 40 --driver ./silent
    wait_until has_children 32 # without a question, which would wake the server
    stays starting 32
    : >go
    say get_drivers
    becomes drivers 40
}

@test "limits: two create_driver at once start 32 drivers each" {
    puppet silent await:go hello pause
    start_listening -g 0.1 --start-timeout 100 --driver ./silent
    start_crowd
    crowd attach 2
    crowd say 1 2 1 create_driver 40
    wait_until field_above starting 63
    stays starting 64
    : >go
    crowd hear 1 2 40 'Driver * Available'
    crowd hear 1 2 1 '40 drivers'
}

@test "limits: the timer is set for the earliest deadline, whatever its kind" {
    start_server -t 100 -g 0.2
    create_many 2
    for pid in "${pids[@]}"; do
        stop_process "$pid"
    done
    say "get_status ${pids[0]}" "delete_driver ${pids[1]}"
    wait_until logged "driver ${pids[1]} did not exit in time: killed"
    wait_until gone "${pids[1]}"
    kill -CONT "${pids[0]}"
    expect "Driver ${pids[0]} Available" "Driver ${pids[1]} Deleted"
}

field_above() {
    (($(field "$1") > $2))
}

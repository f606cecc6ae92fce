#!/usr/bin/env bats
# --watchdog: kept drivers that do not answer are killed and replaced.

load lib/helpers
load lib/looks

# start_watched SECONDS OPTION...: starts a server with one kept driver and that watchdog. Sets pid.
start_watched() {
    start_server --drivers 1 --watchdog "$@"
    say get_drivers
    expect 'Driver * Available' '1 driver'
    pid=$(children_of "$server_pid")
    pid=${pid% }
}

@test "watchdog: a kept driver that is stopped is killed and replaced, and its job is lost" {
    start_watched 0.75
    busy_with "$pid"
    kill -STOP "$pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
    logged "^server: driver $pid: did not answer for 0.75 s: killed$"
    becomes drivers 1
    becomes replaced 1
}

@test "watchdog: nobody is asked or killed twice: a driver that was told to exit has its grace period" {
    start_watched 0.1 -g 1000
    kill -STOP "$pid"
    say "delete_driver $pid"
    wait_until past $(($(uptime_ms) + 350))
    in_state "$pid" T
    kill -CONT "$pid"
    expect "Driver $pid Deleted"
    [ "$(cat err)" = '' ]
}

# Sets woken to how often the driver has slept so far.
how_often_woken() {
    local key value
    while read -r key value; do
        [[ $key != voluntary_ctxt_switches: ]] || woken=$value
    done <"/proc/$pid/status"
}

woken_again() {
    how_often_woken
    ((woken >= $1))
}

@test "watchdog: a busy driver that answers is left alone" {
    start_watched 2
    busy_with "$pid"
    how_often_woken
    wait_until woken_again $((woken + 2))
    open_gate
    expect "Job 1 Done exit 0"
    [ "$(cat err)" = '' ]
}

@test "watchdog: a driver that create_driver made is not watched" {
    start_watched 0.75
    kept=$pid
    create
    stop_process "$pid"
    stop_process "$kept"
    wait_until logged "driver $kept: did not answer"
    becomes replaced 1
    in_state "$pid" T
    run ! logged "driver $pid"
}

@test "watchdog: without kept drivers, no time is set" {
    start_server --watchdog 0.1
    create
    wait_until is_at_rest
}

# asked_often TIMES: each of the three drivers was asked that many times.
asked_often() {
    local call asked=0
    while read -r call; do
        [[ $call != sendto*' = 8' ]] || asked=$((asked + 1))
    done <trace
    ((asked >= 3 * $1))
}

@test "watchdog: is the one deadline of an idle server, and asks each driver once in its time" {
    command -v strace >/dev/null || skip 'no strace to count with'
    start strace -D -qq -o trace -e trace=epoll_wait,recvfrom,sendto,timerfd_settime "$SERVER" --drivers 3 --watchdog 1
    say get_drivers
    expect '*' '*' '*' '3 drivers'
    wait_until asked_often 2
    : >trace
    wait_until asked_often 2
    # A turn for the time, and at most one for each answer.
    (($(grep -c '^epoll_wait(.*, -1) *= [1-9]' trace) <= 2 * 4 + 1)) || fail "$(cat trace)"
}

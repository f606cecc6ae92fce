#!/usr/bin/env bats
# Stopped drivers, and answers that come while the server is stopped.

load lib/helpers

@test "stopped driver: each question to it gets an Error of its own, and other drivers answer" {
    start_server -t 3
    create
    first=$pid
    create
    stop_process "$first"
    say "get_status $pid" "get_status $first" "get_status $first" "get_status $first" \
        "get_status $pid"
    expect "Driver $pid Available" "Error: driver $first is not responding" \
        "Error: driver $first is not responding" "Error: driver $first is not responding" \
        "Driver $pid Available"
    say stats
    expect 'Stats * unanswered=3 *'
}

@test "stopped driver: listed in its place as Unresponsive, and as Available when continued" {
    start_server -t 3
    say 'create_driver 3'
    expect '*' '*' '*' '3 drivers'
    read -r a b c <<<"$(children_of "$server_pid")"
    stop_process "$b"
    say get_drivers
    expect "Driver $a Available" "Driver $b Unresponsive" "Driver $c Available" '3 drivers'
    kill -CONT "$b"
    wait_until logged "driver $b responds again"
    say get_drivers
    expect "Driver $a Available" "Driver $b Available" "Driver $c Available" '3 drivers'
}

@test "stopped driver: a task that was answered by an Error does not run later" {
    start_server -v -t 3
    create
    stop_process "$pid"
    say "send_task $pid 1000"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    say "get_status $pid" "send_task $pid 5"
    expect "Driver $pid Available" "Driver $pid Busy 5"
    run ! logged "driver $pid task of 1000"
}

@test "stopped driver: a task that it accepted too late is taken back" {
    # The driver reads the TASK and accepts it too late. The server must then send a CANCEL for that
    # task.
    fake_driver late hello 'take $TASK' 'read -r _ <answered; state 1 1 0 1000000' \
        'take 2; [[ $byte == $'"'\\x03'"' ]] || exit 9' \
        'take 7; [[ $byte == $'"'\\x01'"' ]] || exit 8' ': >taken_back' linger
    mkfifo answered
    start_server -t 0.1 -g 0.2 --driver ./late
    create
    say "send_task $pid 1000"
    expect "Error: driver $pid is not responding"
    echo >answered
    wait_until test -e taken_back
}

@test "stopped driver: after a task was taken back, cancel_task ends the next one" {
    start_server -t 3
    create
    stop_process "$pid"
    say "send_task $pid 50"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    wait_until logged 'responds again'
    say "send_task $pid 50"
    expect "Driver $pid Busy 50"
    say "cancel_task $pid"
    expect "Driver $pid Available"
}

@test "stopped driver: a task sent after the one that was taken back is accepted" {
    start_server -t 3
    create
    stop_process "$pid"
    say "send_task $pid 1000"
    expect "Error: driver $pid is not responding"
    say "send_task $pid 7"
    kill -CONT "$pid"
    expect "Driver $pid Busy 7"
}

@test "stopped driver: a task that it reads after the reply timeout never runs" {
    start_server -v -t 4
    create
    say 'create_driver'
    expect '*'
    other=${line//[^0-9]/}
    stop_process "$pid"
    say "send_task $other 2" "send_task $pid 1000"
    expect "Driver $other Busy 2"
    # Half of the reply timeout is then left for the next two commands.
    wait_until logged "driver $other task done"
    say "get_status $pid" "send_task $pid 7"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    expect "Driver $pid Available" "Driver $pid Busy 7"
}

@test "stopped driver: get_drivers still answers once earlier ones have filled its socket" {
    start_server -t 0.001
    create
    stop_process "$pid"
    for _ in {1..600}; do
        say get_drivers
        expect "Driver $pid Unresponsive" '1 driver'
    done
    kill -CONT "$pid"
    wait_until logged 'responds again'
}

@test "stopped driver: a client that floods it is held back, and no command is lost" {
    start_server -t 3
    create
    stop_process "$pid"
    flood 30000 "get_status $pid"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    tally 29998
    run ! grep -vxE "[0-9]+ (Driver $pid Available|Error: driver $pid is not responding)" <<<"$tally"
    expect "Driver $pid Available"
    say get_drivers
    expect "Driver $pid Available" '1 driver'
}

@test "stopped driver: lists that come faster than they are answered do not wait for it forever" {
    start_server -t 0.05
    create
    stop_process "$pid"
    flood 3000 get_drivers
    tally 6000
    [ "$tally" = "3000 Driver $pid Unresponsive
3000 1 driver" ]
}

@test "stopped driver: delete_driver kills it after the grace period" {
    start_server -g 0.2
    create
    kill -STOP "$pid"
    say "delete_driver $pid" get_drivers
    expect "Driver $pid Deleted" '0 drivers'
    gone "$pid"
    [ "$(cat err)" = "server: driver $pid did not exit in time: killed" ]
}

@test "stopped driver: when it is killed, what waits for it gets an Error with the cause" {
    start_server -t 100
    create
    first=$pid
    create
    stop_process "$first"
    say "get_status $first" "send_task $first 5" get_drivers "get_status $pid"
    wait_until took 6
    kill -KILL "$first"
    expect "Error: driver $first died (killed by signal 9)" \
        "Error: driver $first died (killed by signal 9)" \
        "Driver $pid Available" '1 driver' "Driver $pid Available"
}

@test "stop: an unanswered command gets its driver's answer if one still comes, or else an Error" {
    start_server -t 100 -g 3
    create
    first=$pid
    create
    stop_process "$first"
    say "get_status $pid" "get_status $first" "get_status $pid"
    expect "Driver $pid Available"
    say shutdown get_drivers
    expect 'Error: server is stopping' "Driver $pid Available" 'Error: server is stopping'
    server_ends 0
}

@test "stop: a command whose driver does not answer in time gets the Error of the stop" {
    start_server -t 0.2 -g 100
    create
    stop_process "$pid"
    say "get_status $pid" shutdown
    expect 'Error: server is stopping'
    kill -CONT "$pid"
    server_ends 0
}

@test "stopped server: an answer that came during the stop is not treated as late" {
    start_server -t 0.5
    create
    for ((i = 1; i <= 40; i++)); do
        stop_process "$pid"
        say "get_status $pid"
        wait_until took $((1 + i))
        stop_process "$server_pid"
        read -r -t 0 -u "$from" || break
        # The reply timeout was over before the server was stopped.
        kill -CONT "$server_pid" "$pid"
        expect '*'
    done
    ((i <= 40))
    wait_until past $(($(uptime_ms) + 600)) # longer than the reply timeout
    kill -CONT "$pid"
    wait_until in_state "$pid" S
    kill -CONT "$server_pid"
    expect "Driver $pid Available"
}

@test "stopped server: a driver that came up during the stop is not treated as late" {
    mkfifo go
    fake_driver slow 'read -r _ <go' hello ': >said' linger
    start_server -g 0.2 --start-timeout 2 --driver ./slow
    say create_driver
    wait_until has_children 1
    stop_process "$server_pid"
    wait_until past $(($(uptime_ms) + 2100)) # the time to come up
    echo >go
    wait_until test -e said
    kill -CONT "$server_pid"
    expect 'Driver * Available'
}

@test "stopped server: a driver that exited during the stop is not treated as late" {
    fake_driver deaf hello linger
    start_server -g 2 --driver ./deaf
    create
    say "delete_driver $pid" fly
    wait_until took 3
    stop_process "$server_pid"
    wait_until past $(($(uptime_ms) + 2100)) # the grace period
    kill -KILL "$pid"
    wait_until in_state "$pid" Z
    kill -CONT "$server_pid"
    expect "Driver $pid Deleted" 'Error: unknown*'
    [[ $(<err) != *'did not exit in time'* ]]
}

#!/usr/bin/env bats
# What each command answers.

load lib/helpers

@test "create_driver: answers with the pid of a living child of the server" {
    start_server
    create
    alive "$pid"
    [ "$(status_field "$pid" PPid)" = "$server_pid" ]
}

@test "create_driver COUNT: answers with one line for each driver, then the count" {
    start_server
    say 'create_driver 3' 'create_driver 1'
    expect 'Driver +([0-9]) Available' 'Driver +([0-9]) Available' 'Driver +([0-9]) Available' \
        '3 drivers' 'Driver +([0-9]) Available' '1 driver'
    [ "$(children_of "$server_pid" | wc -w)" = 4 ]
}

@test "create_driver COUNT: a bad count is an Error, and nothing is started" {
    for count in 0 100001 -1 +1 1.5 x 0x10 99999999999999999999 1e3; do
        ask "create_driver $count" get_drivers
        [ "$output" = "Error: bad count '$count' (1 to 100000)"$'\n''0 drivers' ]
        [ "$status" = 0 ]
    done
}

@test "create_driver: later commands see the driver" {
    ask create_driver get_drivers
    [[ $output =~ ^'Driver '([0-9]+)' Available'$'\n''Driver '([0-9]+)' Available'$'\n''1 driver'$ ]]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
}

@test "send_task: makes the driver busy for whole seconds, rounded up" {
    start_server
    create
    say "send_task $pid 4.7" "get_status $pid" get_drivers
    expect "Driver $pid Busy 5" "Driver $pid Busy 5" "Driver $pid Busy 5" '1 driver'
}

@test "send_task: a busy driver refuses, and its task goes on" {
    start_server
    create
    say "send_task $pid 100" "send_task $pid 5" "get_status $pid"
    expect "Driver $pid Busy 100" "Error: driver $pid Busy 100" "Driver $pid Busy 100"
}

@test "send_task: when the time is over, the driver is Available again by itself" {
    start_server -v
    create
    say "send_task $pid 0.05"
    expect "Driver $pid Busy 1"
    wait_until logged "driver $pid task done"
    say "get_status $pid" "send_task $pid 7"
    expect "Driver $pid Available" "Driver $pid Busy 7"
}

@test "send_task: the shortest time is never shown as Busy 0" {
    start_server
    create
    for _ in {1..50}; do
        say "send_task $pid 0.001" "get_status $pid" "cancel_task $pid"
        expect "Driver $pid Busy 1" "Driver $pid @(Busy 1|Available)" '*'
    done
}

@test "send_task: SECONDS within the grammar are accepted" {
    start_server
    create
    for seconds in 1 0.25 0.001 00012.5 31536000 31536000.000 3.999; do
        say "send_task $pid $seconds" "cancel_task $pid"
        expect "Driver $pid Busy +([1-9])*([0-9])" '*'
    done
}

@test "send_task: SECONDS outside the grammar are an Error, and the driver stays free" {
    start_server
    create
    for seconds in 0 0.0 0.000 -5 +5 1. .5 . 1.2345 1e3 0x10 5s 31536000.001 31536001 \
        99999999999999999999 1,5 inf nan ١; do
        say "send_task $pid $seconds"
        reply
        [[ $line == "Error: bad seconds '"*"' (above 0, at most 31536000, three digits behind the point)" ]] || fail "$line"
    done
    say "get_status $pid"
    expect "Driver $pid Available"
}

@test "PID: anything but plain digits is a bad pid" {
    start_server
    create
    for word in 12x -1 +1 0x10 1.0 "${pid}x" ''\''' ; do
        say "get_status $word" "send_task $word 5" "cancel_task $word" "delete_driver $word"
        for _ in 1 2 3 4; do
            reply
            [ "$line" = "Error: bad pid '$word'" ] || fail "$line"
        done
    done
}

@test "PID: a number that no driver has matches none, and the Error names it" {
    start_server
    create
    for number in 0 1 "$server_pid" $((pid + 1)) $((pid + 4294967296)) 99999999999999999999; do
        say "get_status $number" "send_task $number 5" "cancel_task $number" "delete_driver $number"
        for _ in 1 2 3 4; do
            expect "Error: no driver $number"
        done
    done
    say "get_status 000$pid"
    expect "Driver $pid Available"
}

@test "get_drivers: lists all drivers in order of creation, then their number" {
    start_server
    say get_drivers
    expect '0 drivers'
    pids=()
    for _ in 1 2 3; do
        create
        pids+=("$pid")
    done
    say "send_task ${pids[1]} 50" get_drivers
    expect "Driver ${pids[1]} Busy 50" "Driver ${pids[0]} Available" "Driver ${pids[1]} Busy 50" \
        "Driver ${pids[2]} Available" '3 drivers'
}

@test "cancel_task: frees a busy driver; a free one has no task" {
    start_server -v
    create
    say "send_task $pid 100" "cancel_task $pid" "get_status $pid" "cancel_task $pid"
    expect "Driver $pid Busy 100" "Driver $pid Available" "Driver $pid Available" \
        "Error: driver $pid has no task"
    wait_until logged "driver $pid task cancelled"
}

@test "cancel_task: the next task has its full time" {
    start_server -v
    create
    say "send_task $pid 0.2" "cancel_task $pid" "send_task $pid 60" "get_status $pid"
    expect "Driver $pid Busy 1" "Driver $pid Available" "Driver $pid Busy 60" "Driver $pid Busy 60"
    say create_driver
    expect '*'
    other=${line//[^0-9]/}
    say "send_task $other 0.3"
    expect '*'
    wait_until logged "driver $other task done" # more than 0.2 s after the cancelled task began
    say "get_status $pid"
    expect "Driver $pid Busy @(60|5?)"
}

@test "delete_driver: unlists the driver at once, and answers once it has ended and was reaped" {
    start_server
    create
    first=$pid
    create
    say "send_task $first 100" "delete_driver $first" "get_status $first" get_drivers \
        "delete_driver $first"
    expect "Driver $first Busy 100" "Driver $first Deleted"
    gone "$first"
    expect "Error: no driver $first" "Driver $pid Available" '1 driver' "Error: no driver $first"
    log_is
}

@test "delete_driver: leaves nothing behind, even after a hundred drivers" {
    start_server
    say stats
    reply
    before=$(find "/proc/$server_pid/fd" -type l | wc -l)
    for _ in {1..100}; do
        create
        say "delete_driver $pid"
        expect "Driver $pid Deleted"
    done
    [ "$(find "/proc/$server_pid/fd" -type l | wc -l)" = "$before" ]
    [ -z "$(children_of "$server_pid")" ]
    say stats
    expect 'Stats *drivers=0 *created=100 *'
}

@test "stats: answers with one line of key=value pairs, which count" {
    start_server
    create
    say "send_task $pid 9" fly
    expect '*' '*'
    say stats
    reply
    [[ $line =~ ^Stats(\ [a-z_]+=[0-9]+)+$ ]] || fail "$line"
    [[ $line == *' drivers=1 '*' created=1 '*' commands=3 errors=1 tasks=1 '* ]]
}

@test "help: answers with one line for each command, then their number" {
    ask help
    count=$(sed -n '$s/ commands$//p' <<<"$output")
    [ "$(wc -l <<<"$output")" = $((count + 1)) ]
    for command in create_driver send_task get_status get_drivers cancel_task delete_driver \
        stats help quit exit shutdown; do
        grep -qE "^$command( |$)" <<<"$output"
    done
}

@test "help COMMAND: answers with the line of that command alone" {
    ask help
    for command in create_driver run shutdown; do
        expected+=$(grep "^$command " <<<"$output")$'\n'
    done
    ask 'help create_driver' 'help run' 'help shutdown' 'help fly'
    [ "$output" = "${expected}Error: unknown command 'fly' (try help)" ]
    ask 'session json' 'help run' 'help shutdown'
    [[ $output == '{"command":"run PID|any SECONDS COMMAND...","help":"run '*'"}'$'\n''{"command":"shutdown","help":"'*'"}' ]]
}

@test "quit and exit: end the client after its earlier replies; later lines are ignored" {
    for word in quit exit; do
        ask create_driver get_drivers $word create_driver fly
        [[ $output == 'Driver '*' Available'$'\n''Driver '*' Available'$'\n''1 driver' ]]
        [ "$status" = 0 ]
        log_is
    done
}

@test "shutdown: stops the server as SIGTERM does" {
    start_server
    create
    say shutdown
    server_ends 0
    gone "$pid"
}

@test "unknown command: the Error names it, escaped and cut at 64 bytes" {
    ask fly CREATE_DRIVER $'a\x01\xff\x7fb' "$(printf '%0100d' 0)" "it's"
    [ "$output" = "Error: unknown command 'fly' (try help)
Error: unknown command 'CREATE_DRIVER' (try help)
Error: unknown command 'a\\x01\\xff\\x7fb' (try help)
Error: unknown command '$(printf '%064d' 0)' (try help)
Error: unknown command 'it's' (try help)" ]
}

@test "usage: with a word too few or too many, the Error shows how the command is used" {
    ask send_task 'send_task 1' 'send_task 1 2 3' 'send_task 1 2 3 4 5 6' get_status \
        'get_status 1 2' 'get_drivers 1' 'cancel_task' 'delete_driver' 'create_driver 1 2' \
        'stats x' 'help run now' 'quit now' 'shutdown now'
    [ "$output" = 'Error: usage: send_task PID SECONDS
Error: usage: send_task PID SECONDS
Error: usage: send_task PID SECONDS
Error: usage: send_task PID SECONDS
Error: usage: get_status PID
Error: usage: get_status PID
Error: usage: get_drivers
Error: usage: cancel_task PID
Error: usage: delete_driver PID
Error: usage: create_driver [COUNT]
Error: usage: stats
Error: usage: help [COMMAND]
Error: usage: quit
Error: usage: shutdown' ]
}

@test "replies: come in the order of the commands, though drivers work at the same time" {
    start_server
    create_many 20
    for round in 1 2 3; do
        for pid in "${pids[@]}"; do
            say "get_status $pid" "nonsense $round" "get_status $pid"
        done
    done
    for round in 1 2 3; do
        for pid in "${pids[@]}"; do
            expect "Driver $pid Available" 'Error: unknown command *' "Driver $pid Available"
        done
    done
}

#!/usr/bin/env bats
# Memory is used again: the server gets only a few slabs for each kind of object, and every test
# goes on long enough to need another if objects were not given back.

load lib/helpers
load lib/looks

# start_frugal K OPTION...: a server whose K-th slab and all later ones are refused. A slab holds 2
# blocks, 15 clients, 16 texts of replies, 1 to 60 texts of jobs, or 60 of anything else; it starts
# with 4 slabs. The last 1,000 jobs are kept, with their texts.
start_frugal() {
    start_faulty "malloc:ENOMEM:$1+" --listen taxi.sock "${@:2}"
    say session
    expect 'Error: usage*'
}

nothing_was_lacking() {
    wait_until is_at_rest
    [ ! -e trace ] || fail 'more memory was asked for'
    say get_drivers
    expect "Driver * ${1-Available}*" '1 driver'
}

@test "leaks: commands of every kind leave nothing behind, nor do clients that come and go" {
    start_frugal 28
    create
    {
        for _ in {1..12}; do
            printf '%s\n' "get_status $pid" fly get_drivers "send_task $pid 0.001" "send_task any 0.001" "wait $pid" wait \
                "send_task $pid 1000" "cancel_task $pid" "cancel_task $pid" 'send_task any x' "run $pid 50 exit 3" \
                "wait $pid" "run $pid 0 true" "run 77 50 true" "run any 50 true" wait "run $pid 50 ./missing" stats \
                "run $pid 50 sleep 1000" "cancel_task $pid" 'session x'
        done
        echo help
    } >commands
    for _ in {1..10}; do
        control <commands >replies || (($? == 1))
    done
    [ "$(tail -n 1 replies)" = '20 commands' ]
    nothing_was_lacking
}

@test "leaks: clients that vanish leave nothing behind, whatever they wait for" {
    start_frugal 25 # several clients hold blocks at the same time
    create
    say "send_task $pid 1000"
    expect '*'
    start_crowd
    last=(wait "wait $pid" 'send_task any 5' 'run any 50 true' help "run $pid 5 true" fly)
    for ((first = 1; first < 25 * ${#last[@]}; first += ${#last[@]})); do
        to_last="$first $((first + ${#last[@]} - 1))"
        crowd attach ${#last[@]}
        crowd "say $to_last 1 get_status $pid"
        crowd "say $to_last 1 fly"
        for i in "${!last[@]}"; do
            crowd "say $((first + i)) $((first + i)) 1 ${last[i]}"
        done
        crowd "say $to_last 1 run any 50 echo never >>never"
        crowd "hear $to_last 2 *"
        crowd "close $to_last"
        printf '%s\n' quit "get_status $pid" | control || true # the line after quit is never run
    done
    becomes clients 1
    nothing_was_lacking Busy
    [ ! -e never ]
}

@test "leaks: drivers that die with full queues leave nothing behind" {
    start_frugal 45
    create
    kept=$pid
    long=$(printf '%3000s' '' | tr ' ' x)
    for _ in {1..8}; do
        create
        kill -STOP "$pid"
        wait_until in_state "$pid" T
        printf '%s\n' "run $pid 50 "{a,b,c,d}"$long" "get_status $pid" fly "send_task $pid 5" "get_status $pid" \
            "cancel_task $pid" >&"$to"
        attach one
        tell one "wait $pid"
        kill -KILL "$pid"
        for _ in {a..d}; do
            expect "Job $((++job)) Done unrun driver $pid died (killed by signal 9)"
        done
        expect 'Error: *died*' 'Error: unknown*' 'Error: *died*' 'Error: *died*' 'Error: *died*'
        hear one 'Error: *'
        detach one
        client_ends one 1
        rm one.*
    done
    pid=$kept
    nothing_was_lacking
}

@test "leaks: tasks that are taken back after the reply timeout leave nothing behind" {
    start_frugal 7 -t 0.05
    create
    for _ in {1..6}; do
        kill -STOP "$pid"
        wait_until in_state "$pid" T
        for _ in {1..40}; do echo "send_task $pid 1000"; done >&"$to"
        for _ in {1..40}; do
            expect "Error: driver $pid *"
        done
        kill -CONT "$pid"
        wait_until is_available
    done
    nothing_was_lacking
}

is_available() {
    say "get_status $pid"
    reply
    [[ $line == "Driver $pid Available" ]]
}

@test "leaks: a create_driver of many drivers, one of which fails, leaves nothing behind" {
    # The driver that fails first waits until most of the others have been started.
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'if rmdir once 2>/dev/null; then
        until [ "$(wc -w </proc/$PPID/task/$PPID/children)" -ge 20 ]; do :; done
        exit 7
    fi' "exec '$DRIVER'" >first_fails
    chmod +x first_fails
    start_frugal 7 -g 100 --driver ./first_fails
    for _ in {1..10}; do
        mkdir once
        say 'create_driver 25'
        count=0
        while reply && [[ $line == Driver* ]]; do count=$((count + 1)); done
        [[ $line == 'Error: cannot create driver: '+([0-9])' died (exited with status 7)' ]] || fail "$line"
        expect "$count driver?(s)"
        becomes stopping 0
    done
    wait_until is_at_rest
    [ ! -e trace ] || fail 'more memory was asked for'
}

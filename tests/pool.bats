#!/usr/bin/env bats
# send_task any, and wait.

load lib/helpers

@test "any: chooses the driver that has been Available longest" {
    start_server
    create_many 3
    order=("${pids[2]}" "${pids[0]}" "${pids[1]}")
    for pid in "${order[@]}"; do
        say "send_task $pid 0.01" "wait $pid"
        expect "Driver $pid Busy 1" "Driver $pid Available"
    done
    say 'send_task any 100' 'send_task any 100' 'send_task any 100'
    for pid in "${order[@]}"; do
        expect "Driver $pid Busy 100"
    done
}

@test "any: without any driver it is an Error; bad seconds are as for a pid" {
    start_server
    say 'send_task any 5' 'send_task any 0' 'send_task any'
    expect 'Error: no driver' "Error: bad seconds '0'*" 'Error: usage: send_task PID SECONDS'
    create
    say "send_task $pid 100" 'send_task any 5'
    expect "Driver $pid Busy 100"
    wait_until took 6
    kill -KILL "$pid"
    expect 'Error: no driver'
}

@test "any: while all are busy it waits, and so do later commands of the same client" {
    start_listening
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    attach first
    attach second
    tell first 'send_task any 11' "get_status $pid" fly
    wait_until took 4
    tell second 'send_task any 22'
    wait_until took 5
    # Other clients go on.
    say "get_status $pid"
    expect "Driver $pid Busy *"
    say "cancel_task $pid"
    expect "Driver $pid Available"
    hear first "Driver $pid Busy 11" "Driver $pid Busy 11" "Error: unknown command 'fly' (try help)"
    say "cancel_task $pid"
    expect "Driver $pid Available"
    hear second "Driver $pid Busy 22"
}

@test "any: goes to a newly created driver, not to one that does not respond" {
    start_listening -t 3
    create
    stop_process "$pid"
    say "get_status $pid"
    expect "Error: driver $pid is not responding"
    attach other
    tell other 'send_task any 50'
    wait_until took 4
    stopped=$pid
    create
    hear other "Driver $pid Busy 50"
    kill -CONT "$stopped"
    wait_until logged "driver $stopped responds again"
    tell other 'send_task any 60'
    hear other "Driver $stopped Busy 60"
}

@test "any: if the driver dies before it answers, the task gets an Error" {
    fake_driver dies hello 'take 1' 'exit 7'
    start_server --driver ./dies
    create
    say 'send_task any 5'
    expect "Error: driver $pid died (exited with status 7)"
}

@test "any: each of many tasks for few drivers is done exactly once" {
    start_listening
    create_many 4
    for name in one two three; do
        attach $name
        for i in {1..50}; do echo 'send_task any 0.005'; done >&"${client_to[$name]}"
        tell $name wait
    done
    for name in one two three; do
        for i in {1..50}; do
            hear $name 'Driver * Busy 1'
        done
        hear $name '4 drivers'
    done
    say stats
    expect '* tasks=150 tasks_done=150 *'
}

@test "wait PID: answers once the driver has no task; later commands wait, too" {
    start_listening
    create_many 2
    say "wait ${pids[0]}" 'wait 77' 'wait x' "wait ${pids[0]} 5"
    expect "Driver ${pids[0]} Available" 'Error: no driver 77' "Error: bad pid 'x'" 'Error: usage: wait [[]PID|own]'
    say "send_task ${pids[0]} 100" "send_task ${pids[1]} 100"
    expect '*' '*'
    attach other
    tell other "wait ${pids[0]}" get_drivers
    wait_until took 9
    say "cancel_task ${pids[0]}"
    expect "Driver ${pids[0]} Available"
    hear other "Driver ${pids[0]} Available" "Driver ${pids[0]} Available" "Driver ${pids[1]} Busy *" '2 drivers'
}

@test "wait PID: an Error if the driver dies, is deleted or does not respond" {
    start_listening -t 3
    create_many 3
    for pid in "${pids[@]}"; do say "send_task $pid 100"; expect '*'; done
    for i in 0 1; do
        attach "client$i"
        tell "client$i" "wait ${pids[$i]}"
    done
    wait_until took 7
    kill -KILL "${pids[0]}"
    hear client0 "Error: driver ${pids[0]} died (killed by signal 9)"
    say "delete_driver ${pids[1]}"
    expect "Driver ${pids[1]} Deleted"
    hear client1 "Error: driver ${pids[1]} died (exited with status 0)"
    say "cancel_task ${pids[2]}"
    expect "Driver ${pids[2]} Available"
    stop_process "${pids[2]}"
    for command in get_status wait; do
        say "$command ${pids[2]}"
        expect "Error: driver ${pids[2]} is not responding"
    done
}

@test "wait: answers once no driver has a task; a driver's death does not hold it up" {
    start_listening
    say wait
    expect '0 drivers'
    create_many 3
    say wait
    expect '3 drivers'
    for pid in "${pids[@]}"; do say "send_task $pid 100"; expect '*'; done
    attach other
    tell other wait fly
    wait_until took 8
    kill -KILL "${pids[0]}"
    say "cancel_task ${pids[1]}" "cancel_task ${pids[2]}"
    expect '*' '*'
    hear other '2 drivers' "Error: unknown command 'fly' (try help)"
}

@test "wait: waits for a task that was given just before" {
    start_server
    create
    for i in {1..20}; do
        say "send_task $pid 0.02" wait "get_status $pid"
        expect "Driver $pid Busy 1" '1 driver' "Driver $pid Available"
    done
}

@test "wait: at the end of a batch of tasks for any driver, all of them have been done" {
    tasks=$(for i in {1..20}; do echo 'send_task any 0.02'; done)
    ask 'create_driver 4' "$tasks" wait stats
    [ "$status" = 0 ]
    [ "$(grep -c 'Busy 1$' <<<"$output")" = 20 ]
    [[ $output == *$'\n4 drivers\nStats '*' tasks=20 tasks_done=20 '* ]]
    [ ! -s err ]
}

#!/usr/bin/env bats
# Jobs of several clients and of clients that vanish.

load lib/helpers

@test "run any: while all drivers are busy, the client's later commands wait, too" {
    start_listening
    create
    busy_with "$pid"
    attach other
    tell other 'run any 50 exit 3' 'echo behind'
    wait_until took 4
    run -0 control get_status "$pid"
    [[ $output == "Driver $pid Busy "@(100|9?) ]]
    wait_until took 5 # the get_status, but not the other client's second line
    open_gate
    expect "Job 1 Done exit 0"
    hear other "Job 2 Done exit 3" 'Error: unknown command*'
}

@test "run any: waiting clients are served in order of arrival, one job each" {
    start_listening
    create
    busy_with "$pid"
    attach one
    attach two
    tell one 'run any 50 echo one >>order' 'run any 50 echo one >>order'
    wait_until took 4
    tell two 'run any 50 echo two >>order' 'run any 50 echo two >>order'
    wait_until took 5
    open_gate
    hear one "Job 2 Done exit 0" "Job 4 Done exit 0"
    hear two "Job 3 Done exit 0" "Job 5 Done exit 0"
    [ "$(tr '\n' ' ' <order)" = 'one two one two ' ]
}

@test "run: with 110000 jobs in flight a client is not read any more, while others are" {
    start_listening
    create
    busy_with "$pid"
    flood 110100 "run $pid 5 true"
    wait_until took 110002 # including session and create_driver
    run -0 control get_status "$pid"
    [[ $output == "Driver $pid Busy "* ]]
    wait_until took 110003 # just the get_status
    open_gate
    expect "Job 1 Done exit 0"
    timeout "$DEADLINE" head -n 110100 <&"$from" >replies
    [ "$(head -n 109999 replies | grep -cE "^Error: driver $pid Busy ([789].|100)$")" = 109999 ]
    [ "$(tail -n 101 replies | grep -cE "^(Job [0-9]+ Done exit 0|Error: driver $pid Busy 5)$")" = 101 ]
}

@test "run: if a client is killed while its job runs, the job goes on to its end" {
    start_listening
    create
    mkfifo gate
    attach other
    tell other "run $pid 50 read x <gate; echo ended >ended"
    wait_until has_children_of "$pid" 1
    kill -KILL "${client_pid[other]}"
    wait_until has_clients 1
    say "get_status $pid"
    expect "Driver $pid Busy @(50|4?)"
    open_gate
    wait_for ended
    say "wait $pid"
    expect "Driver $pid Available"
    stats_have runs=1 failures=0
}

@test "run: if a client is killed before its job's start is answered, nobody waits for the job's end" {
    start_listening
    create
    mkfifo gate
    stop_process "$pid"
    attach other
    tell other "run $pid 50 read x <gate; echo ended >ended" "run $pid 50 true" "cancel_task 1"
    wait_until took 5
    kill -KILL "${client_pid[other]}"
    wait_until ended "${client_pid[other]}"
    control stats # its reply means that the server has seen the client go
    kill -CONT "$pid"
    wait_until has_clients 1
    say "get_status $pid"
    expect "Driver $pid Busy @(50|4?)"
    open_gate
    wait_for ended
}

@test "run any: if a client is killed while it waits for a driver, its job is dropped" {
    start_listening
    create
    busy_with "$pid"
    attach other
    tell other 'run any 50 echo never >never'
    wait_until took 4
    kill -KILL "${client_pid[other]}"
    wait_until has_clients 1
    open_gate
    say 'run any 50 true'
    expect "Job 1 Done exit 0" "Job 3 Done exit 0"
    [ ! -e never ]
    stats_have runs=2 dropped=1
}

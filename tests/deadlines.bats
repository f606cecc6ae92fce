#!/usr/bin/env bats
# Deadlines, seen by the server's timer: each runs while something is awaited, for as long as it should, and
# not any longer; where nothing is, the timer is off and the server sleeps.

load lib/helpers
load lib/looks

# nothing_runs WHAT: no deadline does, a turn after the last reply.
nothing_runs() {
    one_turn_later || return
    no_deadline || fail "$1: the timer has $(timer_ms) ms left"
}

stop_driver() {
    kill -STOP "$pid"
    wait_until in_state "$pid" T
}

@test "deadlines: none for what is up, answered, busy or waits" {
    start_listening -t 100
    nothing_runs 'no driver'
    create
    nothing_runs 'a driver that is up'
    say "get_status $pid" get_drivers "cancel_task $pid" "wait $pid" wait
    expect '*' '*' '1 driver' 'Error: *no task' '*' '1 driver'
    nothing_runs 'answers'
    say "send_task $pid 1000"
    expect "Driver $pid Busy 1000"
    nothing_runs 'a task'
    for command in 'send_task any 5' wait "wait $pid"; do
        attach "${command%% *}${#command}"
        tell "${command%% *}${#command}" "$command"
    done
    becomes clients 4
    becomes commands 15
    nothing_runs 'clients that wait'
    say "cancel_task $pid"
    expect "Driver $pid Available"
    say "cancel_task $pid"
    expect "Driver $pid Available" # it was any's
    nothing_runs 'what was cancelled'
}

@test "deadlines: none for a job that runs, or is being cancelled" {
    start_server -t 100 -g 100
    create
    say "run $pid 1000 trap '' TERM; echo >up; until [ -e go ]; do sleep 0.01; done" "get_status $pid"
    wait_until test -e up
    becomes runs 1
    wait_until no_deadline
    say "cancel_task $pid"
    becomes commands 4
    wait_until no_deadline
    : >go
    expect "Driver $pid Done *" "Driver $pid Busy *" "Driver $pid Available"
    nothing_runs 'a job that has ended'
}

@test "deadlines: the timer of a driver runs just while it has a task or job" {
    start_server
    create
    timer_is_off "$pid"
    say "send_task $pid 1000" "run $pid 1000 true" "cancel_task $pid" "get_status $pid"
    expect "Driver $pid Busy 1000" "Error: driver $pid Busy 1000" "Driver $pid Available" "Driver $pid Available"
    timer_is_off "$pid"
    say "send_task $pid 0.001" "wait $pid" "get_status $pid"
    expect "Driver $pid Busy 1" "Driver $pid Available" "Driver $pid Available"
    timer_is_off "$pid"
    say "run $pid 1000 exit 3" "wait $pid" "get_status $pid"
    expect "Driver $pid Done exit 3" "Driver $pid Available" "Driver $pid Available"
    timer_is_off "$pid"
    say "run $pid 0.001 sleep 1000" "wait $pid" "send_task $pid 1000" "get_status $pid"
    expect "Driver $pid Done timeout" "Driver $pid Available" "Driver $pid Busy 1000" "Driver $pid Busy 1000"
    run ! timer_is_off "$pid"
}

@test "deadlines: none for a driver that did not answer, and then does" {
    start_server -t 0.2
    create
    stop_driver
    say "get_status $pid" "send_task $pid 5" "get_status $pid"
    expect "Error: *not responding" "Error: *not responding" "Error: *not responding"
    wait_until is_at_rest # the stop of a child is a signal, after which dead ones are looked for
    kill -CONT "$pid"
    wait_until logged 'responds again'
    wait_until is_at_rest
    say "get_status $pid" stats
    expect "Driver $pid Available" 'Stats * unanswered=3 *'
    nothing_runs 'an answer'
}

@test "deadlines: none for drivers that have ended, however they did" {
    start_server -t 100 -g 100 -v
    create_many 3
    for pid in "${pids[@]}"; do
        stop_driver
        say "get_status $pid" "send_task $pid 5"
    done
    becomes commands 7
    kill -KILL "${pids[0]}"
    kill -CONT "${pids[1]}" "${pids[2]}"
    expect 'Error: *died*' 'Error: *died*' '*' '*' '*' '*'
    say "delete_driver ${pids[1]}"
    expect "Driver ${pids[1]} Deleted"
    kill -TERM "${pids[2]}"
    wait_until gone "${pids[2]}"
    for pid in "${pids[@]}"; do
        wait_until logged "driver $pid (died|ended)"
    done
    wait_until is_at_rest
    say get_drivers
    expect '0 drivers'
}

@test "deadlines: none for drivers that never came up" {
    puppet dies await:go exit:3
    puppet breaks await:go end:1 pause
    for program in dies breaks; do
        start_server -g 100 --driver ./$program
        say 'create_driver 2'
        wait_until has_children 2
        : >go
        expect 'Error: cannot create driver: *' '0 drivers'
        one_turn_later
        wait_until has_children 0
        wait_until is_at_rest
        kill -TERM "$server_pid"
        server_ends 0
        hang_up
        rm go
    done
}

@test "deadlines: none for drivers that were replaced" {
    start_server --drivers 2 -g 100
    say get_drivers
    expect 'Driver *' 'Driver *' '2 drivers'
    # shellcheck disable=SC2046 # two pids
    kill -KILL $(children_of "$server_pid")
    becomes replaced 2
    becomes drivers 2
    wait_until is_at_rest
}

@test "deadlines: how long each is: 5 s to come up, 1 s to answer, 2 s to exit" {
    puppet says await:up hello pause
    start "$SERVER" --driver ./says
    since=$(uptime_ms)
    say create_driver
    wait_until has_children 1
    wait_until in_state "$server_pid" S
    deadline_is 5000 "$since"
    : >up
    expect 'Driver * Available'
    pid=${line//[^0-9]/}
    since=$(uptime_ms)
    say "get_status $pid"
    becomes commands 2
    wait_until in_state "$server_pid" S
    deadline_is 1000 "$since"
    expect 'Error: *not responding'
    since=$(uptime_ms)
    say "delete_driver $pid"
    becomes commands 3
    wait_until in_state "$server_pid" S
    deadline_is 2000 "$since"
    kill -KILL "$pid"
    expect "Driver $pid Deleted"
}

@test "deadlines: 100 ms until dead children are looked for, and until what was lacking is tried again" {
    start bash -c "ulimit -n 24; exec '$SERVER' --listen taxi.sock"
    create
    since=$(uptime_ms)
    stop_driver # a signal that may stand for deaths
    one_turn_later
    one_turn_later
    deadline_is 100 "$since"
    start_crowd
    crowd attach 40
    wait_until logged 'cannot accept a connection'
    one_turn_later
    (($(timer_ms) <= 100))
    crowd close 1 40
    wait_until is_at_rest
    # What lacks again after somebody was let in is told again, and only once.
    control stats >stats
    crowd attach 40
    told_again() { (($(grep -c 'cannot accept a connection' err) == 2)); }
    wait_until told_again
    crowd close 41 80
    wait_until is_at_rest
    told_again
}

@test "deadlines: a driver that is dead but cannot be reaped is looked at again and again" {
    start_server -g 0.1
    create
    mkfifo until
    "$HELPERS/hold" "$pid" <until >held 2>&1 3>&- &
    holder=$!
    started=("$holder" "${started[@]}") # it ends before the server, which waits for the driver
    exec {release}<>until
    wait_until test -s held
    if [[ $(<held) != held ]]; then
        skip "$(<held)"
    fi
    kill -STOP "$pid"
    say "delete_driver $pid"
    killed_often() { (($(grep -c "driver $pid did not exit in time: killed" err) >= 3)); }
    wait_until killed_often
    in_state "$pid" Z
    exec {release}>&-
    wait "$holder"
    expect "Driver $pid Deleted"
    wait_until is_at_rest
}

@test "deadlines: at a stop, the grace and 250 ms for output that nobody reads" {
    start "$SERVER"
    yes help 2>/dev/null | head -n 5000 >in 3>&- &
    wait_until output_waits
    since=$(uptime_ms)
    kill -TERM "$server_pid"
    wait_until deadline_runs
    wait_until in_state "$server_pid" S
    deadline_is 2250 "$since"
    kill -TERM "$server_pid" # the rest at once
    server_ends 0
}

deadline_runs() {
    ! no_deadline
}

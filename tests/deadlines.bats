#!/usr/bin/env bats
# Deadlines, as the server's timer shows them: each runs as long as it should and only while
# something is awaited; otherwise the timer is off and the server sleeps.

load lib/helpers
load lib/looks

# nothing_runs WHAT: no deadline runs one turn after the last reply. WHAT names the case.
nothing_runs() {
    one_turn_later || return
    no_deadline || fail "$1: the timer has $(timer_ms) ms left"
}

stop_driver() {
    kill -STOP "$pid"
    wait_until in_state "$pid" T
}

@test "deadlines: none runs for drivers that are up or busy, nor for clients that wait" {
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
    expect "Driver $pid Available" # this task was for any driver
    nothing_runs 'what was cancelled'
}

@test "deadlines: while a job runs, one runs: its limit, the grace period and 3 s; without its limit if it is cancelled" {
    start_server -t 2000 -g 100 # so the answer has more time than the job
    create
    since=$(uptime_ms)
    say "run $pid 1000 trap '' TERM; echo >up; until [ -e go ]; do sleep 0.01; done" "get_status $pid"
    wait_until test -e up
    becomes runs 1
    of_the_job() { deadline_is "$1" "$since" 2>/dev/null; }
    wait_until of_the_job 1103000
    since=$(uptime_ms)
    say "cancel_task $pid"
    becomes commands 4
    wait_until of_the_job 103000
    : >go
    expect "Job 1 Done *" "Driver $pid Busy *" "Driver $pid Available"
    nothing_runs 'a job that has ended'
    say "run $pid 0.01 sleep 1000" "wait $pid"
    expect "Job 2 Done timeout" "Driver $pid Available"
    nothing_runs 'a job that was ended at its limit'
}

@test "deadlines: a driver's timer runs only while the driver has a task or job" {
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
    expect "Job 1 Done exit 3" "Driver $pid Available" "Driver $pid Available"
    timer_is_off "$pid"
    say "run $pid 0.001 sleep 1000" "wait $pid" "send_task $pid 1000" "get_status $pid"
    expect "Job 2 Done timeout" "Driver $pid Available" "Driver $pid Busy 1000" "Driver $pid Busy 1000"
    run ! timer_is_off "$pid"
}

@test "deadlines: when a driver is told to exit, its job gets most of the grace period" {
    for grace in 100 0.4; do
        # The grace period less 250 ms, or less a quarter if that is shorter.
        left=300
        [[ $grace != 100 ]] || left=99750
        start_server -g $grace
        create
        say "run $pid 1000 trap '' TERM; echo >up$grace; while :; do sleep 1; done"
        wait_until test -e up$grace
        becomes runs 1
        since=$(uptime_ms)
        kill -TERM "$pid"
        told_to_exit() { (($(timer_ms "$pid") <= 100000)); }
        wait_until told_to_exit
        deadline_is $left "$since" "$pid"
        kill -QUIT "$server_pid"
        server_ends 4
        hang_up
    done
}

@test "deadlines: both programs measure time by the clock that nobody can set" {
    start_server
    create
    for process in "$server_pid" "$pid"; do
        [ "$(grep -h ^clockid: "/proc/$process/fdinfo/"*)" = 'clockid: 1' ] # CLOCK_MONOTONIC
    done
}

@test "deadlines: a command that lacked memory is tried again even if none was given back" {
    start_faulty malloc:ENOMEM:5
    create
    stop_driver
    for _ in {1..61}; do echo "get_status $pid"; done >&"$to"
    becomes commands 62
    [ -s trace ]
}

@test "deadlines: none runs after a reply timeout, nor once the driver responds again" {
    start_server -t 0.2
    create
    stop_driver
    say "get_status $pid" "send_task $pid 5" "get_status $pid"
    expect "Error: *not responding" "Error: *not responding" "Error: *not responding"
    wait_until is_at_rest # a child's stop is a CHLD, too, and starts a search for dead children
    kill -CONT "$pid"
    wait_until logged 'responds again'
    wait_until is_at_rest
    say "get_status $pid" stats
    expect "Driver $pid Available" 'Stats * unanswered=3 *'
    nothing_runs 'an answer'
}

@test "deadlines: none still runs for drivers that were killed, deleted or sent TERM" {
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

@test "deadlines: none still runs for drivers that never came up" {
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

@test "deadlines: none still runs after kept drivers were replaced" {
    start_server --drivers 2 -g 100
    say get_drivers
    expect 'Driver *' 'Driver *' '2 drivers'
    # shellcheck disable=SC2046 # two pids
    kill -KILL $(children_of "$server_pid")
    becomes replaced 2
    becomes drivers 2
    wait_until is_at_rest
}

# Fails if it comes too late to see one of the deadlines.
sees_defaults() {
    rm -f up
    start "$SERVER" --driver ./says
    since=$(uptime_ms)
    say create_driver
    wait_until has_children 1
    wait_until in_state "$server_pid" S
    deadline_is 5000 "$since" || return
    : >up
    expect 'Driver * Available' || return
    pid=${line//[^0-9]/}
    since=$(uptime_ms)
    say "get_status $pid"
    becomes commands 2
    wait_until in_state "$server_pid" S
    deadline_is 1000 "$since" || return
    expect 'Error: *not responding' || return
    since=$(uptime_ms)
    say "delete_driver $pid"
    becomes commands 3
    wait_until in_state "$server_pid" S
    deadline_is 2000 "$since" || return
    kill -KILL "$pid"
    expect "Driver $pid Deleted"
}

@test "deadlines: by default a driver has 5 s to come up, 1 s to answer and 2 s to exit" {
    puppet says await:up hello pause
    for _ in {1..5}; do
        ! sees_defaults || return 0
        hang_up
        end_started
    done
    fail 'five times in vain'
}

@test "deadlines: a search for dead children, and a retry of an accept, come within 100 ms" {
    start bash -c "ulimit -n 24; exec '$SERVER' --listen taxi.sock"
    create
    since=$(uptime_ms)
    stop_driver # sends CHLD, which may stand for other children's deaths
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
    # A new lack, after clients were accepted, is logged again, and once.
    control get_drivers >listed
    crowd attach 40
    logged_again() { (($(grep -c 'cannot accept a connection' err) == 2)); }
    wait_until logged_again
    crowd close 41 80
    wait_until is_at_rest
    logged_again
}

@test "deadlines: a driver that is dead but cannot be reaped yet is tried again and again" {
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
    wait_until logged "^server: driver $pid did not exit in time: killed$"
    wait_until in_state "$pid" Z
    exec {release}>&-
    wait "$holder"
    expect "Driver $pid Deleted"
    wait_until is_at_rest
}

@test "deadlines: a stop gives up unread output after the grace period and 250 ms" {
    start "$SERVER"
    yes help 2>/dev/null | head -n 5000 >in 3>&- &
    wait_until output_waits
    since=$(uptime_ms)
    kill -TERM "$server_pid"
    wait_until deadline_runs
    wait_until in_state "$server_pid" S
    deadline_is 2250 "$since"
    kill -TERM "$server_pid" # ends the wait at once
    server_ends 0
}

deadline_runs() {
    ! no_deadline
}

#!/usr/bin/env bats
# What the server makes of calls that fail where only a fault of the machine makes them fail; see
# tests/faults/inject.c. What needs a fault in a plain session is in scripts/torture/sweep.sh.

load helpers

# A driver, stopped, that is asked COUNT times: as many requests and calls are taken, of the 60 each
# that the server has to begin with.
stopped_driver_asked() {
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    for ((i = 0; i < $1; i++)); do
        echo "get_status $pid"
    done >&"$to"
    wait_until took $(($1 + 1))
}

@test "no memory for another command: it waits until an earlier one is answered" {
    long=$(printf '%5000s' '' | tr ' ' x)
    for command in fly stats help get_drivers create_driver get_status 'send_task 5' cancel_task \
        delete_driver "$long"; do
        start_faulty malloc:ENOMEM:5+
        stopped_driver_asked 60
        case $command in
        get_status | cancel_task | delete_driver) say "$command $pid" ;;
        send_task*) say "send_task $pid 5" ;;
        *) say "$command" ;;
        esac
        say "get_status $pid" quit
        wait_until waits
        kill -CONT "$pid"
        for ((i = 0; i < 60; i++)); do
            expect "Driver $pid Available"
        done
        case $command in
        fly | x*) expect 'Error: *' ;;
        stats) expect 'Stats *' ;;
        help) while expect '*' && [[ $line != *' commands' ]]; do :; done ;;
        get_drivers) expect "Driver $pid Available" '1 driver' ;;
        create_driver | get_status) expect 'Driver * Available' ;;
        send_task*) expect "Driver $pid Busy 5" ;;
        cancel_task) expect "Error: driver $pid has no task" ;;
        delete_driver) expect "Driver $pid Deleted" ;;
        esac
        expect "*river $pid*"
        server_ends 0
        hang_up
    done
}

# The server sleeps, and has been made to fail.
waits() {
    in_state "$server_pid" S && [ -s trace ]
}

@test "no memory for the text of another Error: it waits until an earlier one is written" {
    start_faulty malloc:ENOMEM:5+
    stopped_driver_asked 1
    for i in {1..20}; do
        echo "fly$i"
    done >&"$to"
    wait_until waits
    kill -CONT "$pid"
    expect "Driver $pid Available"
    for i in {1..20}; do
        expect "Error: unknown command 'fly$i' (try help)"
    done
}

@test "no memory for all of a list: none is asked, one Error; for a question behind it: it waits" {
    start_faulty malloc:ENOMEM:5+
    create_many 40
    pid=${pids[0]}
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    { for _ in {1..30}; do echo "get_status $pid"; done; echo get_drivers; } >&"$to"
    wait_until took 32
    kill -CONT "$pid"
    for _ in {1..30}; do
        expect "Driver $pid Available"
    done
    expect 'Error: cannot list drivers: Cannot allocate memory'
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    { echo get_drivers; for _ in {1..30}; do echo "get_status $pid"; done; } >&"$to"
    wait_until took 53 # the list has 40 of the 60 calls
    kill -CONT "$pid"
    for _ in {1..40}; do
        expect 'Driver * Available'
    done
    expect '40 drivers'
    for _ in {1..30}; do
        expect "Driver $pid Available"
    done
}

@test "no memory for the next driver of a create_driver: it waits for an earlier line" {
    start_faulty malloc:ENOMEM:5+
    stopped_driver_asked 59
    say 'create_driver 2'
    wait_until has_children 2
    wait_until waits
    kill -CONT "$pid"
    for _ in {1..59}; do
        expect "Driver $pid Available"
    done
    expect 'Driver * Available' 'Driver * Available' '2 drivers'
}

@test "no memory to take a task back: the driver is killed, since an Error means that it does not run" {
    start_faulty malloc:ENOMEM:5+ -t 0.2
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    { echo "send_task $pid 1000"; for _ in {1..59}; do echo "get_status $pid"; done; } >&"$to"
    for _ in {1..60}; do
        expect "Error: driver $pid *"
    done
    wait_until logged "driver $pid: no memory to take back its task: killed"
    wait_until gone "$pid"
}

@test "no memory for a larger table of drivers: each is found all the same" {
    start_faulty calloc:ENOMEM:68
    create_many 70
    [ -s trace ]
    for pid in "${pids[@]}"; do
        say "delete_driver $pid"
        expect "Driver $pid Deleted"
    done
}

@test "a driver that cannot be watched for room is lost, and no other" {
    start_faulty epoll_ctl:MOD:1 -t 0.05
    create_many 2
    kill -STOP "${pids[0]}"
    wait_until in_state "${pids[0]}" T
    # More than its socket and its queue hold.
    yes "get_status ${pids[0]}" | head -n 60000 >in 3>&- &
    for _ in {1..60000}; do
        IFS= read -r -t "$DEADLINE" -u "$from" line
    done
    [ "$line" = "Error: no driver ${pids[0]}" ]
    logged "driver ${pids[0]}: cannot watch it: Cannot allocate memory: killed"
    say get_drivers
    expect "Driver ${pids[1]} Available" '1 driver'
}

@test "standard streams that cannot be watched any more: status 1, and which" {
    failed=
    for fault in ADD:{6,7} DEL:{1..4}; do
        start_faulty "epoll_ctl:$fault"
        # More replies than a pipe holds, and nobody who reads them, for a while.
        yes help | head -n 300 >&"$to" 3>&- {from}<&- &
        exec {to}>&-
        to=
        wait_until output_waits_or_failed
        timeout "$DEADLINE" cat <&"$from" >/dev/null
        wait_until ended "$server_pid"
        [ ! -s err ] || server_ends 1
        failed+=$(<err)
        hang_up
        rm -f trace
    done
    [[ $failed == *'cannot watch standard output: Cannot allocate memory'* ]]
    [[ $failed == *'cannot watch standard input: Cannot allocate memory'* ]]
}

output_waits_or_failed() {
    [ -s trace ] || output_waits
}

@test "a child that cannot be made a driver: create_driver says why, and the next one is" {
    for fault in syscall:ENOMEM:1 prctl:EPERM:2 setpgid:EPERM:1 dup2:EPERM:{1,2,3} setrlimit:EPERM:2; do
        start_faulty "$fault"
        say create_driver create_driver
        expect 'Error: cannot create driver: @(Operation not permitted|Cannot allocate memory|Out of memory)' 'Driver * Available'
        end_input
        server_ends 0
        hang_up
    done
}

@test "a timer whose event is not there any more: the next one is seen" {
    start_faulty read:EAGAIN:1 -t 0.1
    stopped_driver_asked 1
    expect "Error: driver $pid is not responding"
    [ -s trace ]
}

#!/usr/bin/env bats
# What happens when memory runs out; see tests/faults/inject.c. make torture tries every single
# fault in a plain session.

load lib/helpers

# ask_often COUNT PID: asks that many times for the status of the driver.
ask_often() {
    "$HELPERS/repeat" "$1" "get_status $2" >&"$to"
}

# expect_often COUNT PATTERN: so many replies match that.
expect_often() {
    local i
    for ((i = 0; i < $1; i++)); do
        expect "$2" || return
    done
}

# Reads lists up to one that failed. Sets lists to how many did not.
read_lists() {
    lists=0
    while reply && [[ $line != 'Error: cannot list drivers: Cannot allocate memory' ]]; do
        [[ $line != '1000 drivers' ]] || lists=$((lists + 1))
    done
}

@test "no memory: only the command that needs it fails, until there is memory again" {
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer reserves memory as it likes'
    start_server
    create_many 1000
    prlimit --pid "$server_pid" --data=1:unlimited
    # A stopped driver holds up all these lists, which together use up the spare memory.
    stop_process "${pids[0]}"
    say get_drivers get_drivers get_drivers get_drivers get_drivers
    wait_until took 6
    kill -CONT "${pids[0]}"
    say create_driver "get_status ${pids[7]}" fly
    read_lists
    for ((lists++; lists < 5; lists++)); do
        expect 'Error: cannot list drivers: Cannot allocate memory'
    done
    expect 'Error: cannot create driver: *' "Driver ${pids[7]} Available" \
        "Error: unknown command 'fly' (try help)"
    ask_often 500 "${pids[7]}"
    expect_often 500 "Driver ${pids[7]} Available"
    prlimit --pid "$server_pid" --data=unlimited:unlimited
    create
    say get_drivers
    available=("${pids[@]/#/Driver }" "Driver $pid")
    expect "${available[@]/%/ Available}"
    expect '1001 drivers'
}

@test "no memory: a command waits for memory until an earlier one is answered" {
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
        expect_often 60 "Driver $pid Available"
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

# A failure was injected, and the server sleeps.
waits() {
    in_state "$server_pid" S && [ -s trace ]
}

@test "no memory: an Error waits for memory for its text until an earlier one is written" {
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

@test "no memory: a list that needs more than there is gets one Error; later questions wait" {
    start_faulty malloc:ENOMEM:5+
    create_many 40
    pid=${pids[0]}
    stop_process "$pid"
    { for _ in {1..30}; do echo "get_status $pid"; done; echo get_drivers; } >&"$to"
    wait_until took 32
    kill -CONT "$pid"
    expect_often 30 "Driver $pid Available"
    expect 'Error: cannot list drivers: Cannot allocate memory'
    stop_process "$pid"
    { echo get_drivers; for _ in {1..30}; do echo "get_status $pid"; done; } >&"$to"
    wait_until took 53 # the list uses 40 of the 60 calls
    kill -CONT "$pid"
    expect_often 40 'Driver * Available'
    expect '40 drivers'
    expect_often 30 "Driver $pid Available"
}

@test "no memory: a create_driver waits with its next driver until an earlier command is answered" {
    start_faulty malloc:ENOMEM:5+
    stopped_driver_asked 59
    say 'create_driver 2'
    wait_until has_children 2
    wait_until waits
    kill -CONT "$pid"
    expect_often 59 "Driver $pid Available"
    expect 'Driver * Available' 'Driver * Available' '2 drivers'
}

@test "no memory: a driver whose task cannot be taken back after its Error is killed" {
    start_faulty malloc:ENOMEM:5+ -t 1
    create
    stop_process "$pid"
    stop_process "$server_pid" # so that it reads all commands at once
    { echo "send_task $pid 1000"; for _ in {1..59}; do echo "get_status $pid"; done; } >&"$to"
    kill -CONT "$server_pid"
    expect_often 60 "Error: driver $pid *"
    wait_until logged "driver $pid: no memory to take back its task: killed"
    wait_until gone "$pid"
}

@test "no memory: if the table of drivers cannot grow, each driver is still found" {
    start_faulty calloc:ENOMEM:69
    create_many 70
    [ -s trace ]
    for pid in "${pids[@]}"; do
        say "delete_driver $pid"
        expect "Driver $pid Deleted"
    done
}

@test "no memory: a job without memory for its text or data gets an Error and no number" {
    for fault in 5 6; do
        rm -rf output trace
        start_faulty "malloc:ENOMEM:$fault" --output output
        create
        say 'run any 50 exit 3' 'run any 50 exit 4'
        expect 'Error: cannot run: @(Cannot allocate|Out of) memory' 'Job 1 Done exit 4'
        [ -s trace ]
        end_input
        server_ends 4
        hang_up
    done
}

@test "no memory: a run waits for memory for its request until an earlier command is answered" {
    start_faulty malloc:ENOMEM:7+ --output output
    create
    say "run $pid 50 true"
    expect 'Job 1 Done exit 0'
    stop_process "$pid"
    ask_often 60 "$pid"
    say "run $pid 50 exit 3" fly
    wait_until test -s trace
    wait_until in_state "$server_pid" S
    kill -CONT "$pid"
    expect_often 60 "Driver $pid Available"
    expect 'Job 2 Done exit 3' 'Error: unknown command*'
}

# uses_at_most KB: the server has no more memory than that.
uses_at_most() {
    (($(status_field "$server_pid" VmRSS | tr -dc 0-9) < $1))
}

# given_back: what was needed once goes back to the kernel.
given_back() {
    (($(status_field "$server_pid" VmHWM | tr -dc 0-9) > 2 * MEMORY_MAX_KB))
    wait_until uses_at_most $((MEMORY_MAX_KB / 2))
}

@test "memory: what a thousand clients needed for their flood goes back when they are gone" {
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer keeps memory as it likes'
    start_listening
    create
    stop_process "$pid"
    start_crowd
    crowd attach 1000
    crowd say 1 1000 2500 "get_status $pid"
    crowd close 1 1000
    kill -CONT "$pid"
    wait_until has_clients 1
    given_back
    wait_until rests "$server_pid"
    say "get_status $pid"
    expect "Driver $pid Available"
}

@test "memory: what tens of thousands of jobs needed goes back when their client is gone" {
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer keeps memory as it likes'
    start_listening
    create
    start_crowd
    crowd attach 1
    crowd say 1 1 1 "run $pid 1000 sleep 1000"
    crowd say 1 1 80000 "run $pid 5 true" # they are answered after that job
    wait_until took 80003
    crowd close 1 1
    wait_until has_clients 1
    given_back
    say "cancel_task $pid" "run $pid 5 exit 7"
    expect "Driver $pid Available" 'Job +([0-9]) Done exit 7'
    wait_until rests "$server_pid"
}

@test "memory: when most of many drivers are deleted, each of the others is still found" {
    start_server
    create_many 300
    printf 'delete_driver %s\n' "${pids[@]:0:290}" >&"$to"
    deleted=("${pids[@]:0:290}")
    deleted=("${deleted[@]/#/Driver }")
    expect "${deleted[@]/%/ Deleted}"
    for pid in "${pids[@]:290}"; do
        say "get_status $pid"
        expect "Driver $pid Available"
    done
    create_many 100
    printf 'get_status %s\n' "${pids[@]}" >&"$to"
    available=("${pids[@]/#/Driver }")
    expect "${available[@]/%/ Available}"
}

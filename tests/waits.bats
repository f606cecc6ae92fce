#!/usr/bin/env bats
# wait: a task or job counts from the moment it is given, even before the driver has answered.

load lib/helpers
load lib/looks

# unanswered COMMAND: the console gives that command (P stands for the pid) to a stopped driver.
# Then two clients wait, one for the driver and one for all, and ask for the stats. Then the driver
# goes on.
unanswered() {
    start_listening
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "${1/P/$pid}"
    attach one
    attach all
    becomes commands 3
    tell one "wait $pid" stats
    tell all wait stats
    becomes commands 5
    kill -CONT "$pid"
}

@test "wait: counts a task that the driver has not answered yet" {
    unanswered 'send_task P 0.01'
    expect "Driver $pid Busy 1"
    hear one "Driver $pid Available" 'Stats * tasks=1 tasks_done=1 *'
    hear all '1 driver' 'Stats * tasks=1 tasks_done=1 *'
}

@test "wait: counts a job that the driver has not answered yet" {
    unanswered 'run P 50 exit 3'
    expect "Job 1 Done exit 3"
    hear one "Driver $pid Available" 'Stats * runs=1 failures=1 *'
    hear all '1 driver' 'Stats * runs=1 failures=1 *'
}

@test "wait: ends when an unanswered task is cancelled, or its driver is deleted or dies" {
    for end in cancel_task delete_driver kill; do
        unanswered 'send_task P 1000'
        if [[ $end == kill ]]; then
            kill -KILL "$pid"
            expect "@(Driver $pid Busy 1000|Error: driver $pid died *)"
        else
            say "$end $pid"
            expect "Driver $pid Busy 1000" "Driver $pid *"
        fi
        case $end in
        cancel_task) hear one "Driver $pid Available" 'Stats * tasks_done=0 *' && hear all '1 driver' 'Stats *' ;;
        *) hear one "Error: driver $pid died (*" 'Stats *' && hear all '0 drivers' 'Stats *' ;;
        esac
        kill -TERM "$server_pid"
        client_ends one 3
        client_ends all 3
        server_ends 0
        hang_up
        rm one.* all.*
    done
}

@test "wait: counts a job whose driver has died, until nothing of it is left" {
    start_server
    create
    say 'submit 50 setsid sleep 1000 & kill -9 $PPID; exec sleep 1000' wait get_jobs
    expect 'Job 1 Waiting' '0 drivers' '0 jobs'
}

#!/usr/bin/env bats
# How commands and signals end a job, and how a stop of the server does.

load lib/helpers
load lib/looks

@test "cancel_task: ends a job; both replies come when nothing of the job is left" {
    start_listening -g 0.3
    create
    family_of "$pid" 1000
    attach other
    tell other "cancel_task $pid"
    hear other "Driver $pid Available"
    family_is_gone
    expect "Job 1 Done cancelled"
    log_is
}

@test "cancel_task: later commands find the driver free" {
    start_server -g 0.3
    create
    say "run $pid 1000 trap '' TERM; while :; do sleep 0.01; done"
    wait_until has_children_of "$pid" 1
    say "cancel_task $pid" "get_status $pid" "send_task $pid 5"
    expect "Job 1 Done cancelled" "Driver $pid Available" "Driver $pid Available" "Driver $pid Busy 5"
    # The same holds for a job that was given just before, whether it has started or not.
    say "cancel_task $pid" "run $pid 50 sleep 1000" "cancel_task $pid" "run $pid 50 exit 7"
    expect "Driver $pid Available" "Job 2 Done cancelled" "Driver $pid Available" "Job 3 Done exit 7"
}

@test "cancel_task: two for one job are both answered; a third finds no task" {
    start_listening -g 1000
    create
    busy_with "$pid"
    say "cancel_task $pid" "cancel_task $pid"
    expect "Job 1 Done cancelled" "Driver $pid Available" "Error: driver $pid has no task"
    family_of "$pid" 1000
    attach other
    tell other "cancel_task $pid"
    wait_until in_grace
    say "cancel_task $pid"
    wait_until took 8
    # We end the family instead of waiting for the grace period.
    # shellcheck disable=SC2046
    kill -KILL $(cat pids)
    expect "Job 2 Done cancelled" "Driver $pid Available"
    hear other "Driver $pid Available"
}

@test "cancel_task: a driver that does not end its job is killed, long before the job's limit" {
    puppet says hello take:5 state:2:0:1000 take:3 state:2:0:1000 pause
    start_server -g 0.1 --driver ./says
    create
    say "run $pid 1000 x" "cancel_task $pid"
    expect "Job 1 Done lost driver $pid did not report its end in time" "Error: driver $pid died (killed by signal 9)"
    wait_until ended "$pid"
}

@test "cancel_task: a job that its driver was asked to end, and then cannot, is cancelled, and has no timeout" {
    start_listening -g 1
    create
    # The driver has answered the cancel_task when it answers the get_status. If the grace period is
    # over before that, the driver ends the job.
    cat >job <<'END'
trap '"$1" --connect taxi.sock get_status "$PPID" >status; kill -STOP "$PPID"' TERM
echo >there
sleep 1000 & wait
sleep 1000
END
    say "run $pid 1000 sh job $SERVER"
    wait_until [ -e there ]
    say "cancel_task $pid"
    expect 'Job 1 Done cancelled' '*'
}

@test "delete_driver: the job is ended first, then the driver exits by itself" {
    start_server -v -g 3
    create
    family_of "$pid" 1000
    say "delete_driver $pid" get_drivers
    expect "Job 1 Done cancelled" "Driver $pid Deleted" '0 drivers'
    family_is_gone
    logged "driver $pid ended \(exited with status 0\)"
}

@test "TERM to the driver: the job is ended first, then the driver exits by itself" {
    start_server -g 3
    create
    family_of "$pid" 1000
    kill -TERM "$pid"
    expect "Job 1 Done cancelled"
    family_is_gone
    wait_until logged "driver $pid died \(exited with status 0\)"
}

@test "QUIT: nothing of the job survives the server" {
    start_server -g 1000
    create
    family_of "$pid" 1000
    kill -QUIT "$server_pid"
    server_ends 4
    family_has_ended
    ended "$pid"
}

# The driver kills its job a quarter of a second before the server kills the driver. That may be too short on a
# loaded machine, but not each time.
@test "stop: a job that resists is cancelled and killed before its driver's grace period is over" {
    for how in INT TERM shutdown; do
        for _ in {1..5}; do
            start_server -g 3
            create
            rm -f pids
            family_of "$pid" 1000
            if [ $how = shutdown ]; then
                say shutdown
            else
                kill -$how "$server_pid"
            fi
            expect "Job 1 Done cancelled"
            server_ends 4
            family_is_gone
            hang_up
            grep -q 'did not exit in time: killed$' err || break
        done
        [ "$(<err)" = 'server: 1 job cancelled' ]
    done
}

@test "stop: a job that ends when asked to costs no grace period" {
    start_server -g 1000
    create
    busy_with "$pid"
    kill -TERM "$server_pid"
    expect "Job 1 Done cancelled"
    server_ends 4
}

@test "stop: the log counts tasks and jobs that were cancelled, and jobs that did not run" {
    start_listening
    create_many 2
    busy_with "${pids[0]}"
    say "send_task ${pids[1]} 50" 'run any 50 true'
    wait_until took 5
    attach other
    tell other 'run any 50 true'
    wait_until took 6
    kill -TERM "$server_pid"
    expect "Job 1 Done cancelled" "Driver ${pids[1]} Busy 50" "Job 2 Done unrun server is stopping"
    hear other "Job 3 Done unrun server is stopping"
    server_ends 0
    for text in '1 task cancelled' '1 job cancelled' '2 jobs did not run'; do
        has err "server: $text"
    done
    log_is 'server: Stats *' 'server: 1 task cancelled' 'server: 1 job cancelled' 'server: 2 jobs did not run'
}

@test "Ctrl+C: the job gets no INT from the terminal; the server ends it by TERM" {
    mkfifo gate
    start_terminal "exec '$SERVER' -g 1000"
    shows '> '
    server_pid=$(children_of "$terminal_pid")
    server_pid=${server_pid% }
    started+=("$server_pid")
    keys 'create_driver\n'
    shows 'Available'
    keys 'run any 1000 trap "echo INT >got" INT; trap "echo TERM >got; exit" TERM; echo up >up; until read x <gate; do :; done\n'
    wait_for up
    keys '\003'
    shows '^Job 1 Done cancelled'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
    has got TERM
}

@test "end of input: the server waits for a running job" {
    ask create_driver 'run any 50 sleep 0.2; exit 4'
    [ "$status" = 4 ]
    [[ ${output##*$'\n'} == 'Job 1 Done exit 4' ]]
    log_is 'server: job 1 Done exit 4 after *.??? s: sleep 0.2; exit 4'
}

#!/usr/bin/env bats
# Drivers that do not come up, and drivers that die.

load lib/helpers

@test "create_driver: if the program cannot be run, the Error gives the reason, the log the path" {
    : >plain
    for path in /no/such plain .; do
        run -0 --separate-stderr session --driver $path <<<$'create_driver\ncreate_driver 3'
        [[ $output == 'Error: cannot create driver: '@('No such file or directory'|'Permission denied')$'\nError: cannot create driver: '*$'\n0 drivers' ]]
        [[ $stderr == "server: cannot run $path: "* ]]
    done
}

# A child that calls exit(3) runs what the server has for its own exit. In the server's memory, that
# also makes the server forget its directory.
@test "create_driver: if the program cannot be run, the control socket's file stays until the server ends" {
    start_listening --driver /no/such
    say create_driver
    expect 'Error: cannot create driver: *'
    control stats | grep -q '^Stats '
    control shutdown
    server_ends 0
    [ ! -e taxi.sock ]
    log_is 'server: cannot run /no/such: No such file or directory'
}

@test "create_driver: stops where descriptors run out and says why; the drivers so far work on" {
    start_after 'ulimit -n 24'
    say 'create_driver 100'
    count=0
    while reply && [[ $line == Driver* ]]; do
        count=$((count + 1))
    done
    # The second text is musl's.
    [[ $line == 'Error: cannot create driver: '@('Too many open files'|'No file descriptors available') ]]
    ((count > 5 && count < 24))
    expect "$count drivers"
    say get_drivers
    for ((i = 0; i < count; i++)); do
        expect 'Driver * Available'
    done
    expect "$count drivers"
}

@test "stop: a create_driver whose drivers are still starting gets an Error, and none is left" {
    fake_driver silent linger
    start_server -g 0.2 --driver ./silent
    say 'create_driver 100'
    wait_until has_children 32 # as many as may start at the same time
    kill -TERM "$server_pid"
    expect 'Error: server is stopping' '0 drivers'
    server_ends 0
}

@test "starting driver: if it exits before it is up, the Error says how" {
    start_server --driver /bin/false
    say create_driver 'create_driver 50' get_drivers
    expect 'Error: cannot create driver: +([0-9]) died (exited with status 1)' \
        'Error: cannot create driver: +([0-9]) died (exited with status 1)' '0 drivers' '0 drivers'
}

@test "create_driver COUNT: the first failure ends it, and the drivers that were started later" {
    # Every third driver exits at once. Many start at the same time, so each claims its number by
    # creating a file.
    fake_driver third 'set -C; n=0; until : >born$n; do n=$((n + 1)); done 2>/dev/null' \
        '((n % 3 == 2)) && exit 7' hello linger
    start_server -g 0.2 -t 0.2 --driver ./third
    say 'create_driver 40'
    count=0
    while reply && [[ $line == Driver* ]]; do
        count=$((count + 1))
    done
    [[ $line == 'Error: cannot create driver: '+([0-9])' died (exited with status 7)' ]] || fail "$line"
    expect "$count driver?(s)"
    say get_drivers
    for ((i = 0; i < count; i++)); do
        expect 'Driver *'
    done
    expect "$count driver?(s)"
}

@test "starting driver: if it does not come up in 5 s, it is killed and reported" {
    fake_driver silent linger
    start_server --driver ./silent
    say create_driver get_drivers
    expect 'Error: cannot create driver: +([0-9]) did not come up in 5 s' '0 drivers'
    [ -z "$(children_of "$server_pid")" ]
}

@test "starting driver: the time to come up can be set, also for kept drivers" {
    fake_driver silent linger
    start_server --driver ./silent --start-timeout 0.25
    say create_driver
    expect 'Error: cannot create driver: +([0-9]) did not come up in 0.25 s'
    log_is 'server: driver * did not come up in 0.25 s: killed' 'server: driver * died (killed by signal 9)'
    end_input
    server_ends 0
    hang_up
    start_server --driver ./silent --start-timeout 0.3 --drivers 1
    late_often() { (($(grep -c 'did not come up in 0.3 s: killed' err) >= 3)); }
    wait_until late_often
}

@test "starting driver: if it closes its socket, it still has only its time to come up, whatever the grace period" {
    fake_driver shut 'exec 3>&-' linger
    start_server -g 100 --driver ./shut --start-timeout 0.5
    say create_driver
    expect 'Error: cannot create driver: +([0-9]) did not come up in 0.5 s'
}

@test "dying driver: with its socket closed it has the grace period to exit; its status is logged" {
    fake_driver stays hello 'exec 3>&-' linger
    start_server -g 0.2 --driver ./stays
    create
    wait_until logged "driver $pid did not exit in time: killed"
    wait_until gone "$pid"
    end_input
    server_ends 0
    hang_up
    fake_driver leaves hello 'exec 3>&-' 'read -r -t 0.1 <>nothing' 'exit 7'
    mkfifo nothing
    start_server -g 1000 --driver ./leaves
    create
    wait_until logged "driver $pid died \(exited with status 7\)"
}

@test "dying driver: if it no longer reads, it is killed when it is asked something" {
    fake_driver mute hello "exec '$LIB/shut-reading.pl'"
    start_server --driver ./mute
    create
    wait_until test -e shut
    say "get_status $pid" get_drivers
    expect "Error: driver $pid died (killed by signal 9)" '0 drivers'
    logged "driver $pid: does not read any more: killed"
}

@test "dying driver: if it closes its socket over an unanswered task, the Error comes in time" {
    fake_driver leaves hello 'take 1' 'exec 3>&-' linger
    start_server -t 0.1 -g 3 --driver ./leaves
    create
    say "send_task $pid 5"
    expect "Error: driver $pid is not responding"
    no_drivers() { say get_drivers; reply; [[ $line == '0 drivers' ]] || { expect '1 driver'; return 1; }; }
    wait_until no_drivers
    wait_until logged "driver $pid did not exit in time: killed"
}

@test "dying driver: a child that keeps its socket open makes no difference" {
    fake_driver parent hello 'sleep 1000 & echo $! >grandchild' 'exit 5'
    start_server --driver ./parent
    say create_driver
    reply
    wait_until logged '(exited with status 5)'
    say get_drivers
    expect '0 drivers'
    kill -KILL "$(<grandchild)"
}

@test "dying driver: if it ignores EXIT at a stop, it is killed after the grace period" {
    fake_driver deaf hello linger
    start_server -g 0.2 --driver ./deaf
    create
    kill -TERM "$server_pid"
    server_ends 0
    gone "$pid"
}

@test "dying driver: its job is lost if it had been taken, and the reason says how it died" {
    fake_driver lies hello 'take $RUN; state 1 2 0 1000; exit 7' linger
    start_server --driver ./lies
    create
    say "run $pid 50 x"
    expect "Job 1 Done lost driver $pid died (exited with status 7)"
    create
    say 'run any 50 x'
    expect "Job 2 Done lost driver $pid died (exited with status 7)"
    stats_have runs=2 failures=0 lost=2
}

@test "dying driver: a job for just that driver is unrun if it had not been taken" {
    fake_driver dies hello 'take $RUN; exit 7' linger
    start_server --driver ./dies
    create
    say "run $pid 50 x"
    expect "Job 1 Done unrun driver $pid died (exited with status 7)"
    stats_have runs=0 lost=0
}

# One of the jobs is on its way to a driver, and two wait.
three_are_live() {
    logged_stats
    [[ $stats == *' waiting=2 running=1 '* ]]
}

@test "dying driver: a job for any driver that it had not taken goes to another, before all others" {
    fake_driver mixed 'set -C' ': 2>/dev/null >first || exec '"$DRIVER" \
        hello 'take $RUN; : >asked; read -r _ <go; exit 7'
    mkfifo go
    start_listening --driver ./mixed
    create
    mortal=$pid
    create
    say "send_task $pid 1000"
    expect "Driver $pid Busy 1000"
    say 'run any 50 echo one $TAXI_JOB >>order' 'run any 50 echo two $TAXI_JOB >>order'
    wait_until test -e asked
    attach other
    tell other 'run any 50 echo three $TAXI_JOB >>order'
    wait_until three_are_live
    echo >go
    wait_until logged "driver $mortal died .exited with status 7."
    control "cancel_task $pid" >cancelled
    expect 'Job 1 Done exit 0' 'Job 2 Done exit 0'
    hear other 'Job 3 Done exit 0'
    [ "$(<order)" = $'one 1\nthree 3\ntwo 2' ] # clients take turns
    stats_have runs=3 lost=0 died=1
}

@test "dying driver: a result that it sent before it died counts" {
    fake_driver lies hello 'take $RUN; state 1 2 0 1000; result 1 3 9; exit 7' linger
    start_server --driver ./lies
    create
    say "run $pid 50 x"
    expect "Job 1 Done exit 9"
}

@test "dying driver: a job that it took, and says that it did not begin, is not lost" {
    fake_driver lies hello 'take $RUN; state 1 2 0 1000; result 1 6 11 4; exit 7' linger
    start_server --driver ./lies
    create
    say 'run any 50 x'
    expect 'Job 1 Done unrun cannot start a process: *'
}

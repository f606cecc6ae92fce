#!/usr/bin/env bats
# System calls that fail only if something is wrong with the machine; see tests/faults/inject.c.

load lib/helpers

@test "epoll: a driver whose socket cannot be watched for room is killed, and no other" {
    start_faulty epoll_ctl:MOD:1 -t 0.05
    create_many 2
    stop_process "${pids[0]}"
    # More than the driver's socket and queue hold.
    flood 60000 "get_status ${pids[0]}"
    tally 59999
    expect "Error: no driver ${pids[0]}"
    logged "driver ${pids[0]}: cannot watch it: Cannot allocate memory: killed"
    pid=${pids[1]}
    wait_until answers_again
    say get_drivers
    expect "Driver $pid @(Available|Unresponsive)" '1 driver'
}

@test "epoll: if standard streams can no longer be watched, the server ends with status 1 and says why" {
    failed=
    for fault in ADD:{6,7} DEL:{1..4}; do
        start_faulty "epoll_ctl:$fault"
        # The replies, more than a pipe holds, are not read for a while.
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

@test "epoll: a driver that cannot watch one of its sources says so and exits with status 1" {
    for source in 1 2 3; do
        printf '#!/bin/sh\nexec env FAULT=epoll_ctl:ADD:%s "%s"\n' $source "$FAULTY/driver" >unwatched
        chmod +x unwatched
        start_server --driver ./unwatched
        say create_driver
        expect 'Error: cannot create driver: * died (exited with status 1)'
        logged '^driver.[0-9]*.: cannot fill the epoll set: Cannot allocate memory$'
        end_input
        server_ends 0
        hang_up
    done
}

@test "create_driver: if a call fails before the driver's exec, it says why; the next one works" {
    for fault in syscall:ENOMEM:1 prctl:EPERM:2 setpgid:EPERM:1 dup2:EPERM:{1,2,3} setrlimit:EPERM:2; do
        start_faulty "$fault"
        say create_driver create_driver
        expect 'Error: cannot create driver: @(Operation not permitted|Cannot allocate memory|Out of memory)' 'Driver * Available'
        end_input
        server_ends 0
        hang_up
    done
}

@test "timer: if an event of the timerfd turns out to be void, the next one is handled" {
    start_faulty read:EAGAIN:1 -t 0.1
    stopped_driver_asked 1
    expect "Error: driver $pid is not responding"
    [ -s trace ]
}

@test "send: a job reaches its driver whole, though the socket takes only parts of frames" {
    long=$(printf '%3000s' '' | tr ' ' x)
    for fault in 1+ {1..4}; do
        start_faulty "send:short:$fault" --output output
        create
        say "run $pid 50 echo $long; exit 3" "cancel_task 1" "get_status $pid" "wait $pid" \
            "run any 50 echo $long" "wait $pid" "run any 50 exit 5" "get_status $pid" "delete_driver $pid"
        expect 'Job 1 Done exit 3' 'Error: no driver 1' "Driver $pid @(Available|Busy 50)" "Driver $pid Available" \
            'Job 2 Done exit 0' "Driver $pid Available" 'Job 3 Done @(exit 5|cancelled)' \
            "Driver $pid @(Available|Busy 50)" "Driver $pid Deleted"
        [ "$(<output/1.out)" = "$long" ]
        [ "$(<output/2.out)" = "$long" ]
        [[ -s trace || $fault != 1* ]]
        end_input
        server_ends 4 # two jobs have failed
        hang_up
        rm -rf output trace
    done
}

@test "send: frames for a driver that does not read stay whole and in order" {
    start_server
    create
    stop_process "$pid"
    long=$(printf '%4000s' '' | tr ' ' x)
    for i in {1..150}; do
        echo "run $pid 50 test $long != $i"
        echo "get_status $pid"
    done >&"$to" &
    filler=$!
    wait_until took 301
    wait "$filler"
    kill -CONT "$pid"
    timeout "$DEADLINE" head -n 300 <&"$from" >replies
    grep -qx 'Job 1 Done exit 0' replies
    [ "$(sed -n '1~2p' replies | grep -cE "^(Job [0-9]+ Done exit 0|Error: driver $pid Busy 50)$")" = 150 ]
    [ "$(sed -n '2~2p' replies | grep -cE "^Driver $pid (Available|Busy 50)$")" = 150 ]
    log_is 'server: Stats *'
}

# driver_leaves FAULT: a driver that has a job is killed, and a server with that fault looks for what it
# has left, with the third readlink; the first one finds the server's own program. Then the server has
# nothing more to do.
driver_leaves() {
    start_faulty "$1" -v
    create
    say "run $pid 1000 sleep 1000 & echo \$! >left; wait"
    wait_until test -s left
    wait_until logged "runs on driver $pid as process" # so the server knows its group
    kill -KILL "$pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
    wait_until ended "$(<left)"
    wait_until rests "$server_pid"
    [ -s trace ]
    end_input
    server_ends 4
}

# said COUNT LINE: the log has that line COUNT times.
said() {
    (($(grep -cFx "server: $2" err) == $1)) || fail "$2" "$(cat err)"
}

@test "/proc: one that refuses counts as none, and the log says so once; jobs are ended as groups" {
    driver_leaves readlink:EACCES:2+
    said 1 'cannot look into /proc: Permission denied: jobs are ended as process groups only'
    run ! logged 'cannot look for'
}

@test "/proc: a lack of memory is waited for and logged once; one that does not pass counts as no /proc" {
    driver_leaves readlink:ENOMEM:3+
    said 1 'cannot look for what a driver has left: Cannot allocate memory'
    said 1 'cannot look into /proc: Cannot allocate memory: jobs are ended as process groups only'
}

@test "/proc: a lack of memory that passes costs nothing" {
    driver_leaves readlink:ENOMEM:4 # after the look for tracers
    said 1 'cannot look for what a driver has left: Cannot allocate memory'
    run ! logged 'process groups only'
}

@test "receive: if a receive from a driver fails with ECONNRESET, the server reads on" {
    command -v strace >/dev/null || skip 'no strace to inject it'
    start strace -D -qq -o trace -e inject=recvfrom:error=ECONNRESET:when=2..20 "$SERVER" "${PATIENT[@]}"
    create
    say 'run any 50 echo ran >>ran'
    expect 'Job 1 Done exit 0'
    [ "$(<ran)" = ran ]
    grep -q INJECTED trace
}

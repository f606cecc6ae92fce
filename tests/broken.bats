#!/usr/bin/env bats
# Commands under conditions that somebody took pains to make bad.

load helpers

# leaver NAME CODE: a script with tell_pid(), which puts the pid of whoever calls it into the file left.
leaver() {
    {
        echo '#!/usr/bin/perl'
        echo 'use POSIX;'
        echo 'sub tell_pid { open F, ">", "new"; print F $$; close F; rename "new", "left" }'
        echo "$2"
    } >"$1"
    chmod +x "$1"
}

# What it has left is gone, or will be.
left_ends() {
    local left
    left=$(cat left)
    wait_until ended "$left" || { kill -KILL "$left"; fail "it has left $left"; }
}

@test "run: of a driver that was stopped, a command that ended before its limit" {
    start_server
    create
    say "run $pid 2 until [ -e go ]; do sleep 0.01; done; exit 3"
    wait_until runs_command
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    end=$(($(uptime_ms) + 2200))
    say "get_status $pid" # which it finds first
    touch go
    wait_until in_state "$command" Z
    wait_until past "$end"
    kill -CONT "$pid"
    expect "Driver $pid Done exit 3" "Driver $pid Available"
}

# Sets command to the child of the driver.
runs_command() {
    command=$(children_of "$pid")
    command=${command% }
    [[ -n $command ]]
}

@test "run: a cancel_task that comes when the command has ended, unseen" {
    start_server
    create
    say "run $pid 100 until [ -e go ]; do sleep 0.01; done; exit 3"
    wait_until runs_command
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "cancel_task $pid"
    touch go
    wait_until in_state "$command" Z
    kill -CONT "$pid"
    expect "Driver $pid Done exit 3" "Driver $pid Available"
}

@test "run: a driver that has no descriptor to spare finds what a command has left" {
    leaver leaves 'if (!fork) { setsid; tell_pid; sleep 1000; exit } select undef, undef, undef, 0.01 until -e "left"'
    start_after 'ulimit -Sn 7'
    create
    say "run $pid 100 ./leaves"
    expect "Driver $pid Done exit 0"
    left_ends
}

@test "run: a FIFO that is in the way of the output holds up nothing" {
    mkdir o
    mkfifo o/1.out
    start_server --output o
    create
    say "run $pid 100 true" "run $pid 100 true" "wait $pid"
    expect 'Error: cannot run: No such device or address' \
        "Driver $pid Done exit 0 o/2.out o/2.err" "Driver $pid Available"
}

@test "run: a PATH that ends with what is no directory" {
    start env "PATH=$PATH:/dev/null" "$SERVER" "${PATIENT[@]}"
    create
    say "run $pid 100 true" "wait $pid" "run $pid 100 exit 3" "wait $pid" "run $pid 100 no_such_command"
    expect "Driver $pid Done exit 0" '*' "Driver $pid Done exit 3" '*' "Driver $pid Done exit 127"
}

@test "a server that was given a child: what a killed driver has left in its command's session" {
    # Each in a process group of its own, the second the child of the first.
    leaver groups 'sub apart { my ($what) = @_; return if fork; setpgrp; $what->(); pause; exit }
        apart(sub { apart(\&tell_pid) }); pause'
    start_after 'sleep 1000 & echo $! >stranger'
    create
    stranger=$(cat stranger)
    started=("$stranger" "${started[@]}") # it ends before the server, whose child it is
    say "run $pid 100 ./groups"
    wait_until test -e left
    kill -KILL "$pid"
    expect "Error: driver $pid died (killed by signal 9)"
    left_ends
    alive "$stranger"
}

@test "process 1 of a pid namespace: a stranger in its session is left alone" {
    unshare --fork --pid --mount-proc true 2>/dev/null || skip 'no pid namespace to be had'
    start unshare --fork --pid --mount-proc --kill-child bash -c "sleep 1000 & exec '$SERVER' ${PATIENT[*]}"
    unshare_pid=$server_pid
    create
    say "run $pid 100 true"
    expect "Driver $pid Done exit 0"
    wait_until is_process_1
    for child in $(children_of "$server_pid"); do
        case $(readlink "/proc/$child/exe") in
        */driver) driver=$child ;;
        *) stranger=$child ;;
        esac
    done
    kill -KILL "$driver"
    wait_until logged "driver $pid died"
    say get_drivers
    expect '0 drivers'
    alive "$stranger"
    kill -TERM "$server_pid"
    wait_until ended "$unshare_pid"
}

is_process_1() {
    server_pid=$(children_of "$unshare_pid")
    server_pid=${server_pid% }
    [[ -n $server_pid ]]
}

@test "signals: a flood of queued ones holds up neither server nor driver" {
    start_server
    create
    for flooded in "$server_pid" "$pid"; do
        for i in 1 2 3; do
            perl -e 'alarm 30; kill 40, $ARGV[0] while 1' "$flooded" 3>&- &
            started+=("$!")
        done
    done
    for i in {1..20}; do
        say "get_status $pid"
        expect "Driver $pid Available"
    done
    say "run $pid 0.1 sleep 1000"
    expect "Driver $pid Done timeout"
    kill -TERM "$server_pid"
    server_ends 0
}

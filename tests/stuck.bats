#!/usr/bin/env bats
# A stop ends although something can neither be killed nor reaped, or nobody reads. See also
# tests/trees.bats and tests/tracers.bats, where a tracer holds what is dead.

load lib/helpers

# What is in a frozen group of the freezer (cgroup version 1) cannot even be killed; it is in the
# state D, as a process that waits for a dead disk.
freezer_open() {
    freezer=/sys/fs/cgroup/freezer/taxi-$$-$BATS_TEST_NUMBER
    mkdir "$freezer" 2>/dev/null || skip 'no group of the freezer to be had'
}

freeze() {
    local process
    for process; do
        echo "$process" >"$freezer/cgroup.procs"
    done
    echo FROZEN >"$freezer/freezer.state"
    wait_until grep -qx FROZEN "$freezer/freezer.state"
}

# What was frozen goes on, and so dies of the KILL that it was sent.
thaw() {
    echo THAWED >"$freezer/freezer.state"
}

# The kernel removes a group when the last of its processes has been reaped.
freezer_removed() {
    rmdir "$freezer" 2>/dev/null
}

teardown() {
    if [[ -n ${freezer-} && -d $freezer ]]; then
        thaw
        end_started
        wait_until freezer_removed
    else
        end_started
    fi
}

# told PID...: the log says that just these are left, in any order.
told() {
    local said
    said=$(sed -n 's/^server: could not be ended and are left://p' err | tr ' ' '\n' | grep . | sort)
    [[ $said == "$(printf '%s\n' "$@" | sort)" ]] || fail "told: $said, of: $*" "$(cat err)"
}

@test "stuck: one TERM ends the server although a driver cannot be killed, and the log has its pid" {
    freezer_open
    start_server -g 0.1
    create
    freeze "$pid"
    kill -TERM "$server_pid"
    server_ends 0
    told "$pid"
    alive "$pid"
    thaw
    wait_until ended "$pid"
}

@test "stuck: after a second TERM or a QUIT the server does not wait long for anything, and logs all pids that are left" {
    freezer_open
    for signals in 'TERM TERM' 'INT TERM' QUIT; do
        rm -f left
        start_server -g 1000
        create
        say "run $pid 1000 echo \$\$ >left; setsid sh -c 'echo \$\$ >>left; sleep 1000 & echo \$! >>left; wait' & wait"
        wait_until three_left
        mapfile -t left <left
        freeze "${left[@]}"
        for signal in $signals; do
            kill "-$signal" "$server_pid"
            wait_until no_reading_or_ended
        done
        server_ends 4
        expect 'Job 1 Done cancelled'
        told "${left[@]}"
        wait_until ended "$pid"
        thaw
        for process in "${left[@]}"; do
            wait_until ended "$process" # it had got KILL before
        done
        hang_up
    done
}

three_left() {
    [[ -e left && $(wc -l <left) == 3 ]]
}

no_reading_or_ended() {
    ended "$server_pid" || ! grep -qsE '^tfd: +0 ' "/proc/$server_pid/fdinfo/3"
}

@test "stuck: INT again and again does not put off the end" {
    freezer_open
    start_server -g 1000
    create
    freeze "$pid"
    for i in {1..100}; do
        ! ended "$server_pid" || break
        kill -INT "$server_pid"
        wait_until past $(($(uptime_ms) + 300))
    done
    ended "$server_pid"
    server_ends 0
    told "$pid"
}

@test "stuck: a driver that cannot be killed is reported once, and deleted when it can be" {
    freezer_open
    start_listening -g 0.01
    create
    freeze "$pid"
    attach other
    tell other "delete_driver $pid"
    wait_until logged "driver $pid did not exit in time: killed"
    wait_until past $(($(uptime_ms) + 1500)) # it is killed once more
    say get_drivers
    expect '0 drivers'
    thaw
    hear other "Driver $pid Deleted"
    [ "$(grep -c 'did not exit in time' err)" = 1 ]
    log_is "server: driver $pid did not exit in time: killed" "server: driver $pid ended (killed by signal 9)"
}

@test "stuck: a stop ends although nobody reads anything, at any end" {
    freezer_open
    mkfifo in never
    exec {hold}<>never
    start_terminal "exec '$SERVER' -g 0.1 --listen taxi.sock --output out <in >never"
    exec {feed}>in
    wait_until find_server
    started+=("$server_pid")
    wait_until server_listens
    run -0 control create_driver
    pid=${output#Driver }
    pid=${pid% *}
    keys '\023' # Ctrl+S
    printf 'help\n%.0s' {1..300} >&"$feed"
    for name in one two; do
        attach $name
        yes help | head -n 3000 >&"${client_to[$name]}" 3>&- &
        started+=("$!")
    done
    wait_until grep -qs '^tfd: *1 ' "/proc/$server_pid/fdinfo/"* # it waits for room in its output
    freeze "$pid"
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
    [ ! -e taxi.sock ]
    exec {feed}>&- {hold}>&-
}

@test "stuck: an exec that hangs is given up after the start timeout, and the server goes on" {
    leased_driver
    start_server --driver ./slow --start-timeout 0.3
    say create_driver 'run any 5 true'
    expect 'Error: cannot create driver: Timer expired' 'Error: no driver'
    log_is 'server: cannot run ./slow: Timer expired'
    kill "$lease"
    wait_until ended "$lease"
    create
    end_input
    server_ends 4
}

# A program ./slow whose exec hangs until the process $lease has ended.
leased_driver() {
    cp "$DRIVER" slow
    rm -f leased # of the round before
    "$LIB/lease.pl" slow >leased 3>&- &
    lease=$!
    started+=("$lease")
    wait_until test -s leased
    [[ $(<leased) == leased ]] || skip "$(<leased)"
}

@test "stuck: a stop does not wait for an exec that hangs" {
    for signal in TERM INT QUIT HUP; do
        leased_driver
        start_server --driver ./slow --start-timeout 1000
        say create_driver
        wait_until has_children 1
        kill -$signal "$server_pid"
        expect 'Error: @(cannot create driver: Operation canceled|server is stopping)'
        server_ends 0
        grep -q "LEASE *BREAKING .* $lease " /proc/locks # otherwise the kernel has ended the wait
        hang_up
        kill "$lease"
        wait_until ended "$lease"
    done
}

@test "stuck: under nohup, a HUP does not end the wait for an exec" {
    leased_driver
    start bash -c "trap '' HUP; exec '$SERVER' ${PATIENT[*]} --driver ./slow --start-timeout 1000"
    say create_driver
    wait_until has_children 1
    kill -HUP "$server_pid"
    wait_until past "$(($(uptime_ms) + 300))" # the server looks at its signals every 50 ms
    kill "$lease"
    expect 'Driver +([0-9]) Available'
}

@test "stuck: a child that is stopped before its exec does not stop the server for ever" {
    leased_driver
    start_server --driver ./slow --start-timeout 1
    say create_driver
    wait_until has_children 1
    kill -STOP "$(children_of "$server_pid" | tr -d ' ')"
    expect 'Error: cannot create driver: Timer expired'
    end_input
    server_ends 0
}

@test "stuck: a process in state D, which waits for a child as after vfork, is ended with its child" {
    start_server -g 1000
    create
    say "run $pid 1000 exec $HELPERS/vforks >left"
    wait_until test -s left
    mapfile -t left <left
    wait_until in_state "${left[0]}" D
    kill -QUIT "$server_pid"
    server_ends 4
    gone "${left[0]}"
    gone "${left[1]}"
    log_is 'server: 1 job cancelled'
}

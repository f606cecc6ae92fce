#!/usr/bin/env bats
# What each signal does to the server and to a driver.

load lib/helpers

# All 64 signals except those that a fault in the program raises (ILL 4, TRAP 5, ABRT 6, BUS 7, FPE
# 8, SEGV 11, SYS 31) and those that cannot be blocked (KILL 9, STOP 19), as a mask; see proc(5).
ALL_BLOCKED=ffffffffbffbfa07

@test "signals: all but faults are blocked and none has a handler, in both programs" {
    start_server
    create
    for process in "$server_pid" "$pid"; do
        [ "$(status_field "$process" SigBlk)" = $ALL_BLOCKED ]
        [ "$(status_field "$process" SigCgt)" = 0000000000000000 ]
        [ "$(status_field "$process" SigIgn)" = 0000000000000000 ]
    done
}

@test "signals: each program has a signalfd, an epoll set and a timerfd" {
    start_server
    create
    for process in "$server_pid" "$pid"; do
        files=$(readlink "/proc/$process/fd/"*)
        grep -q 'anon_inode:\[signalfd\]' <<<"$files"
        grep -q 'anon_inode:\[eventpoll\]' <<<"$files"
        grep -q 'anon_inode:\[timerfd\]' <<<"$files"
    done
}

@test "INT, TERM and HUP: stop the server with status 0, and no driver is left" {
    for signal in INT TERM HUP; do
        start_server
        say 'create_driver 3' get_drivers
        expect '*' '*' '*' '3 drivers' '*' '*' '*' '3 drivers'
        children=$(children_of "$server_pid")
        kill "-$signal" "$server_pid"
        server_ends 0
        for child in $children; do
            gone "$child"
        done
        [ ! -s err ]
        hang_up
    done
}

@test "TERM: running tasks are cancelled, and the log says how many" {
    start_server
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    kill -TERM "$server_pid"
    server_ends 0
    [ "$(cat err)" = 'server: 1 task cancelled' ]
}

@test "TERM: a driver that does not exit in the grace period is killed, its task cancelled" {
    start_server -g 0.2
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    kill -STOP "$pid"
    kill -TERM "$server_pid"
    server_ends 0
    gone "$pid"
    [ "$(cat err)" = "server: driver $pid did not exit in time: killed
server: 1 task cancelled" ]
}

@test "INT, TERM: a second signal, during the stop, kills the drivers at once" {
    for signals in 'TERM INT' 'INT TERM' 'TERM TERM' 'HUP INT' 'HUP TERM'; do
        stops_with_patience "${signals% *}"
        kill "-${signals#* }" "$server_pid"
        server_ends 0
        gone "$pid"
        hang_up
    done
}

# stops_with_patience SIGNAL: starts a server, with a driver that does not exit, and stops it.
stops_with_patience() {
    start_server -g 1000
    create
    stop_process "$pid"
    kill "-$1" "$server_pid"
    wait_until no_reading # the signal was handled
}

# The server no longer watches its input: its epoll set has no descriptor 0.
no_reading() {
    ! grep -qE '^tfd: +0 ' "/proc/$server_pid/fdinfo/3"
}

@test "HUP: a second one hurries nothing, nor does one after TERM" {
    # A terminal that closes sends HUP and CONT from the kernel, and both again from the shell.
    for first in HUP TERM INT; do
        stops_with_patience $first
        for signal in CONT HUP CONT HUP; do
            kill -$signal "$server_pid"
            wait_until has_read_signals "$server_pid"
        done
        is_patient
        kill -QUIT "$server_pid"
        server_ends 0
        hang_up
    done
}

# The server still waits for its driver, which nobody has killed.
is_patient() {
    wait_until rests_but_for_time
    in_state "$pid" T
}

rests_but_for_time() {
    local before
    before=$(switches "$server_pid")
    pause
    in_state "$server_pid" S && [[ $(switches "$server_pid") == "$before" ]]
}

@test "signals: those that are pending together stop the server once, whatever their order" {
    for signals in 'TERM HUP' 'HUP TERM' 'HUP CONT' 'INT HUP CONT' 'INT TERM'; do
        start_server -g 1000
        create
        stop_process "$pid"
        stop_process "$server_pid"
        for signal in $signals; do
            [ "$signal" = CONT ] || kill "-$signal" "$server_pid"
        done
        kill -CONT "$server_pid"
        wait_until no_reading
        is_patient
        kill -TERM "$server_pid"
        server_ends 0
        gone "$pid"
        hang_up
    done
}

@test "QUIT: kills the drivers at once" {
    start_server -g 1000
    create
    kill -STOP "$pid"
    kill -QUIT "$server_pid"
    server_ends 0
    gone "$pid"
}

@test "HUP under nohup: does nothing" {
    start_after "trap '' HUP"
    say get_drivers
    expect '0 drivers'
    kill -HUP "$server_pid"
    say stats
    expect 'Stats *'
    kill -TERM "$server_pid"
    server_ends 0
}

@test "signals: inheriting ignored signals (other than HUP) makes no difference" {
    for signal in CHLD INT TERM QUIT PIPE USR1 TSTP; do
        start_after "trap '' $signal"
        create
        [ "$(status_field "$pid" SigIgn)" = 0000000000000000 ]
        kill -KILL "$pid"
        wait_until logged "driver $pid died \(killed by signal 9\)"
        gone "$pid"
        kill -INT "$server_pid"
        server_ends 0
        hang_up
    done
}

@test "USR1: writes the stats line to standard error" {
    start_server
    create
    kill -USR1 "$server_pid"
    wait_until logged '^server: Stats .* drivers=1 '
    say get_drivers
    expect "Driver $pid Available" '1 driver'
}

@test "CHLD: inherited children are reaped, too" {
    mkfifo stranger
    # The shell becomes the server, so its background process becomes the server's child.
    start_after 'read -r _ <stranger & echo $! >pid'
    create
    wait_until test -s pid
    stranger=$(<pid)
    : >stranger # ends the child's read
    wait_until gone "$stranger"
    say get_drivers
    expect "Driver $pid Available" '1 driver'
    log_is
}

@test "CHLD: inherited children that had died before the server began are reaped, too" {
    start "$LIB/dead-children.pl" "$SERVER"
    say get_drivers
    expect '0 drivers'
    for pid in $(<pids); do
        gone "$pid"
    done
}

@test "CHLD: one signal may stand for many deaths, of drivers and inherited children" {
    mkfifo stranger
    start_after 'for i in 1 2 3; do read -r _ <stranger & echo $! >pid$i; done'
    create_many 3
    wait_until test -s pid3
    stop_process "$server_pid"
    : >stranger # ends all three reads
    kill -KILL "${pids[@]}"
    for pid in "${pids[@]}" $(cat pid1 pid2 pid3); do
        wait_until in_state "$pid" Z
    done
    kill -CONT "$server_pid"
    for pid in "${pids[@]}" $(cat pid1 pid2 pid3); do
        wait_until gone "$pid"
    done
    say get_drivers
    expect '0 drivers'
}

@test "other signals: do nothing" {
    start_server
    create
    for number in 12 13 14 16 17 18 21 22 23 24 25 26 27 28 29 30 {32..64}; do
        kill -"$number" "$server_pid"
    done
    say get_drivers
    expect "Driver $pid Available" '1 driver'
    log_is
}

@test "TSTP: does nothing where no shell could continue the server" {
    start setsid "$SERVER"
    say get_drivers
    expect '0 drivers'
    kill -TSTP "$server_pid"
    say get_drivers
    expect '0 drivers'
}

@test "CONT: neither ends nor loses any input" {
    start_server -t 100
    create
    stop_process "$pid"
    flood 10000 "get_status $pid" # more than the server takes unanswered
    wait_until flooder_waits
    for _ in 1 2 3 4; do
        kill -CONT "$server_pid"
        kill -USR1 "$server_pid"
    done
    wait_until logged Stats
    kill -CONT "$pid"
    tally 10000
    [ "$tally" = "10000 Driver $pid Available" ]
    wait "$flooder"
}

@test "driver: on TERM it cancels its task and exits with status 0" {
    start_server -v
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    kill -TERM "$pid"
    wait_until logged "driver $pid died \(exited with status 0\)"
    logged "driver $pid task cancelled"
    say get_drivers
    expect '0 drivers'
}

@test "driver: ignores the terminal's signals and all others but TERM" {
    start_server
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    for number in 1 2 3 10 12 13 14 16 17 18 20 21 22 23 24 25 26 27 28 29 30 {32..64}; do
        kill -"$number" "$pid"
    done
    say "get_status $pid"
    expect "Driver $pid Busy @(100|9?)"
    log_is
}

@test "idle: neither server nor driver wakes up" {
    start_server
    create
    say "send_task $pid 0.01" "get_status $pid"
    expect '*' '*'
    wait_until answers_again
    wait_until rests "$server_pid"
    wait_until rests "$pid"
    before=$(switches "$server_pid" "$pid")
    # Time passes while two other servers start and end.
    ask 'create_driver 20'
    ask 'create_driver 20'
    [ "$(switches "$server_pid" "$pid")" = "$before" ]
}

@test "signals: a flood of queued signals holds up neither server nor driver" {
    # All processes of a user share one quota of queued signals. A lower limit for these two leaves
    # some of it to the tests that run beside this one.
    start_after 'ulimit -i 1000'
    create
    for flooded in "$server_pid" "$pid"; do
        for i in 1 2 3; do
            "$LIB/queue-signals.pl" "$flooded" 3>&- &
            started+=("$!")
        done
    done
    for i in {1..20}; do
        say "get_status $pid"
        expect "Driver $pid Available"
    done
    say "run $pid 0.1 sleep 1000"
    expect "Job 1 Done timeout"
    kill -TERM "$server_pid"
    server_ends 4 # a job was given, and the input was still open
}

#!/usr/bin/env bats
# What each signal does to the server and to a driver.

load helpers

# All but those that a fault in the program raises: SIGILL 4, TRAP 5, ABRT 6, BUS 7, FPE 8, SEGV 11,
# SYS 31, and but KILL 9 and STOP 19, which cannot be blocked; 64 bits, see proc(5).
ALL_BLOCKED=ffffffffbffbfa07

@test "signals: all but faults are blocked, none has a handler, in both programs" {
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

@test "INT, TERM and HUP: stop the server, with status 0 and no driver left" {
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

@test "TERM: a running task is cancelled, and the log says how many were" {
    start_server
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    kill -TERM "$server_pid"
    server_ends 0
    [ "$(cat err)" = 'server: 1 task cancelled' ]
}

@test "TERM: a driver that does not exit within the grace is killed; its task counts" {
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

@test "a second INT, TERM or HUP while stopping: drivers are killed at once" {
    start_server -g 1000
    for signal in TERM HUP INT; do
        create
        kill -STOP "$pid"
    done
    children=$(children_of "$server_pid")
    kill -TERM "$server_pid"
    wait_until no_reading # the first has been taken: its input is not watched any more
    kill -HUP "$server_pid"
    server_ends 0
    for child in $children; do
        gone "$child"
    done
}

# The epoll set of the server has no descriptor 0.
no_reading() {
    run ! grep -qE '^tfd: +0 ' "/proc/$server_pid/fdinfo/3"
}

@test "QUIT: drivers are killed at once" {
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

@test "signals inherited as ignored change nothing else" {
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

@test "USR1: the stats line goes to standard error" {
    start_server
    create
    kill -USR1 "$server_pid"
    wait_until logged '^server: Stats .* drivers=1 '
    say get_drivers
    expect "Driver $pid Available" '1 driver'
}

@test "CHLD: reaps strangers as well" {
    mkfifo stranger
    # The shell becomes the server, so that its background process is the server's child.
    start_after 'read -r _ <stranger & echo $! >pid'
    create
    wait_until test -s pid
    stranger=$(<pid)
    : >stranger # its reader ends
    wait_until gone "$stranger"
    say get_drivers
    expect "Driver $pid Available" '1 driver'
    log_is
}

@test "CHLD: strangers that were dead before the server began are reaped, too" {
    command -v perl >/dev/null || skip 'no perl to become the server with children that are dead'
    start perl -e 'for (1 .. 3) { push @dead, $pid = fork; exit if !$pid }
        for (@dead) { do { open F, "<", "/proc/$_/stat" } until <F> =~ / Z /; }
        open F, ">pids"; print F "@dead"; close F; exec @ARGV' "$SERVER"
    say get_drivers
    expect '0 drivers'
    for pid in $(<pids); do
        gone "$pid"
    done
}

@test "CHLD: one signal may stand for many deaths, of drivers and strangers" {
    mkfifo stranger
    start_after 'for i in 1 2 3; do read -r _ <stranger & echo $! >pid$i; done'
    create_many 3
    wait_until test -s pid3
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    : >stranger # all of its readers end
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

@test "all other signals: nothing" {
    start_server
    create
    for number in 12 13 14 16 17 18 21 22 23 24 25 26 27 28 29 30 {32..64}; do
        kill -"$number" "$server_pid"
    done
    say get_drivers
    expect "Driver $pid Available" '1 driver'
    log_is
}

@test "TSTP where no shell could continue the server: nothing" {
    start setsid "$SERVER"
    say get_drivers
    expect '0 drivers'
    kill -TSTP "$server_pid"
    say get_drivers
    expect '0 drivers'
}

@test "CONT: does not make an end of input, nor lose any" {
    start_server -t 100
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    for _ in {1..10000}; do
        echo "get_status $pid"
    done >in 3>&- & # more than the server takes before it is answered
    writer=$!
    wait_until in_state "$writer" S
    for _ in 1 2 3 4; do
        kill -CONT "$server_pid"
        kill -USR1 "$server_pid"
    done
    wait_until logged Stats
    kill -CONT "$pid"
    for _ in {1..10000}; do
        IFS= read -r -t "$DEADLINE" -u "$from" line
        [ "$line" = "Driver $pid Available" ] || fail "$line"
    done
    wait "$writer"
}

@test "driver: TERM ends it politely, its task cancelled" {
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

@test "driver: what a terminal makes, and all others, do not touch it" {
    start_server
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    for number in 1 2 3 10 12 13 14 16 17 18 20 21 22 23 24 25 26 27 28 29 30 {32..64}; do
        kill -"$number" "$pid"
    done
    say "get_status $pid"
    expect "Driver $pid Busy 100"
    log_is
}

@test "idle means idle: no system call, no context switch, in neither process" {
    start_server
    create
    say "send_task $pid 0.01" "get_status $pid"
    expect '*' '*'
    wait_until is_free
    wait_until held_still "$server_pid"
    wait_until held_still "$pid"
    before=$(switches "$server_pid" "$pid")
    # What passes the time is another server's life.
    ask 'create_driver 20'
    ask 'create_driver 20'
    [ "$(switches "$server_pid" "$pid")" = "$before" ]
}

is_free() {
    say "get_status $pid"
    reply
    [[ $line == *Available ]]
}

switches() {
    for process; do
        grep ctxt_switches "/proc/$process/status"
    done
}

held_still() {
    local before
    before=$(switches "$1")
    pause
    pause
    [ "$(switches "$1")" = "$before" ]
}

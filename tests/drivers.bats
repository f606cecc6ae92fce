#!/usr/bin/env bats
# How drivers start and end, and where the server finds their program.

load lib/helpers

@test "driver: inherits only /dev/null, the server's standard error and its socket" {
    exec {extra}</etc/passwd
    start_server
    create
    [ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
    [ "$(readlink "/proc/$pid/fd/1")" = /dev/null ]
    [ "$(readlink "/proc/$pid/fd/2")" = "$PWD/err" ]
    [[ $(readlink "/proc/$pid/fd/3") == socket:* ]]
    # The others are those that it made: epoll, signalfd, timerfd.
    for fd in "/proc/$pid/fd/"*; do
        [[ ${fd##*/} == [0-3] || $(readlink "$fd") == anon_inode:* ]] || fail "$(readlink "$fd")"
    done
    exec {extra}<&-
}

@test "driver: at its exec it has descriptors 0 to 3 only, and its signals blocked" {
    exec {extra}</etc/passwd
    # yes(1) leaves all that as it is and stays alive, writing to /dev/null.
    start_server --driver "$(command -v yes)"
    say create_driver
    wait_until has_child
    pid=$(children_of "$server_pid")
    pid=${pid% }
    [ "$(cd "/proc/$pid/fd" && echo *)" = '0 1 2 3' ]
    [ "$(status_field "$pid" SigBlk)" = ffffffffbffbfa07 ]
    [ "$(status_field "$pid" SigIgn)" = 0000000000000000 ]
    exec {extra}<&-
    kill -KILL "$pid"
    expect "Error: cannot create driver: $pid died (killed by signal 9)"
}

# The server has a child, which has become yes(1).
has_child() {
    [ -n "$(children_of "$server_pid")" ] &&
        [ "$(status_field "$(children_of "$server_pid" | tr -d ' ')" Name)" = yes ]
}

@test "drivers: each of two hundred is found by its own pid only" {
    start_server
    create_many 200
    for ((i = 0; i < 200; i += 3)); do
        say "send_task ${pids[i]} $((i + 100))"
        expect "Driver ${pids[i]} Busy $((i + 100))"
    done
    for ((i = 1; i < 200; i += 3)); do
        say "delete_driver ${pids[i]}"
        expect "Driver ${pids[i]} Deleted"
    done
    for ((i = 0; i < 200; i++)); do
        say "get_status ${pids[i]}"
        case $((i % 3)) in
        0) expect "Driver ${pids[i]} Busy *" ;;
        1) expect "Error: no driver ${pids[i]}" ;;
        2) expect "Driver ${pids[i]} Available" ;;
        esac
    done
}

@test "drivers: lists that nobody reads for a while arrive whole and in order" {
    start_server
    create_many 200
    flood 40 get_drivers # more than the pipe and the server's output buffer hold
    wait_until output_waits
    timeout "$DEADLINE" head -n $((40 * 201)) <&"$from" >lists
    { printf 'Driver %s Available\n' "${pids[@]}"; echo '200 drivers'; } >list
    for _ in {1..40}; do cat list; done | cmp - lists
}

@test "drivers: thousands of lists at once, more than one send takes, are all answered" {
    { echo create_driver; yes get_drivers | head -n 12000; } >commands
    session <commands >replies 2>err
    pid=$(sed -n 's/^Driver \([0-9]*\) Available$/\1/p;q' replies)
    [ "$(sort replies | uniq -c | tr -s ' ')" = " 12000 1 driver
 12001 Driver $pid Available" ]
}

@test "drivers: two generations, with pids far apart, are all found" {
    start_server
    # The table of drivers has 64 chains, and some of these pids are 64 apart or more.
    create_many 40
    generation=("${pids[@]:0:10}")
    for pid in "${pids[@]:10}"; do
        say "delete_driver $pid"
        expect "Driver $pid Deleted"
    done
    create_many 40
    for pid in "${generation[@]}" "${pids[@]}"; do
        say "get_status $pid"
        expect "Driver $pid Available"
    done
    for pid in "${generation[@]}" "${pids[@]}"; do
        say "delete_driver $pid"
        expect "Driver $pid Deleted"
    done
    say get_drivers
    expect '0 drivers'
}

@test "driver: leads a process group of its own" {
    start_server
    create
    read -r _ _ _ _ group _ <"/proc/$pid/stat"
    [ "$group" = "$pid" ]
}

@test "driver: can gain no privilege that it was not started with" {
    start_server
    create
    [ "$(status_field "$pid" NoNewPrivs)" = 1 ]
}

@test "driver: its limit of descriptors is the one that the server was started with" {
    start_after 'ulimit -Sn 100'
    create
    grep -qE '^Max open files +100 ' "/proc/$pid/limits"
    run ! grep -qE '^Max open files +100 ' "/proc/$server_pid/limits"
}

@test "driver: run by hand, it says that the server starts it, and exits with 2" {
    run -2 --separate-stderr "$DRIVER" 3>&-
    [[ $stderr == 'driver['*']: started by the server, not by hand'* ]]
    [ -z "$output" ]
    run -2 "$DRIVER" --help 3</dev/null
}

@test "driver: kill -9 of the server ends a hundred drivers, some of them busy, some stopped" {
    start_server
    create_many 100
    for ((i = 0; i < 99; i += 3)); do
        say "send_task ${pids[i]} 1000"
        expect '* Busy 1000'
        kill -STOP "${pids[i + 1]}"
    done
    kill -KILL "$server_pid"
    for pid in "${pids[@]}"; do
        wait_until ended "$pid"
    done
}

# If the new parent of a stopped process is in another session, the kernel continues that process by
# itself, since its group is an orphaned one.
@test "driver: kill -9 of the server ends it, though it is stopped and its new parent is in its session" {
    start "$HELPERS/adopt" "$SERVER" "${PATIENT[@]}"
    create
    stop_process "$pid"
    kill -KILL "$(children_of "$server_pid")"
    wait_until ended "$pid"
}

@test "driver: kill -9 of the server ends it, even if another process holds its socket open" {
    start_server
    create
    "$LIB/hold-descriptors.pl" "$server_pid" 3>&- {to}>&- &
    holder=$!
    started+=("$holder")
    wait_until test -e held -o ! -e "/proc/$holder/exe"
    [ -e held ] || skip 'not allowed to copy descriptors'
    kill -KILL "$server_pid"
    wait_until ended "$pid"
}

@test "driver: kill -9 of the server ends it, even if it never reads its socket" {
    fake_driver deaf hello linger
    start_server --driver ./deaf
    create
    kill -KILL "$server_pid"
    wait_until ended "$pid"
}

@test "driver: when it dies, it is reaped and unlisted, and the log gives the cause" {
    start_server
    create
    first=$pid
    create
    kill -KILL "$first"
    wait_until logged "^server: driver $first died \(killed by signal 9\)$"
    gone "$first"
    say get_drivers "get_status $first"
    expect "Driver $pid Available" '1 driver' "Error: no driver $first"
}

@test "driver: the server finds it beside its own binary, not by the working directory or PATH" {
    mkdir bin elsewhere
    cp "$SERVER" bin/server
    fake_driver elsewhere/driver 'exit 9'
    cd elsewhere
    PATH=$PWD:$PATH run -0 --separate-stderr ../bin/server <<<create_driver
    [ "$output" = 'Error: cannot create driver: No such file or directory' ]
    cp "$DRIVER" ../bin/driver
    PATH=$PWD:$PATH run -0 ../bin/server <<<create_driver
    [[ $output == 'Driver '*' Available' ]]
}

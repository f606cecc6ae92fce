#!/usr/bin/env bats
# Drivers that stop, die, lie or flood: each costs itself, and nobody else.

load helpers

@test "stopped driver: one reply timeout for all that wait for it; the others answer at once" {
    start_server -t 1
    create
    first=$pid
    create
    kill -STOP "$first"
    wait_until in_state "$first" T
    say "get_status $pid" "get_status $first" "get_status $first" "get_status $first" \
        "get_status $pid"
    expect "Driver $pid Available" "Error: driver $first is not responding" \
        "Error: driver $first is not responding" "Error: driver $first is not responding" \
        "Driver $pid Available"
    say stats
    expect 'Stats * unanswered=3 *'
}

@test "stopped driver: listed as Unresponsive, in its place, and Available when it goes on" {
    start_server -t 1
    say 'create_driver 3'
    expect '*' '*' '*' '3 drivers'
    read -r a b c <<<"$(children_of "$server_pid")"
    kill -STOP "$b"
    wait_until in_state "$b" T
    say get_drivers
    expect "Driver $a Available" "Driver $b Unresponsive" "Driver $c Available" '3 drivers'
    kill -CONT "$b"
    wait_until logged "driver $b responds again"
    say get_drivers
    expect "Driver $a Available" "Driver $b Available" "Driver $c Available" '3 drivers'
}

@test "stopped driver: a task that was answered with an Error does not run later" {
    start_server -v -t 1
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "send_task $pid 1000"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    say "get_status $pid" "send_task $pid 5"
    expect "Driver $pid Available" "Driver $pid Busy 5"
    run ! logged "driver $pid task of 1000"
}

@test "a task that was taken but answered too late is taken back" {
    # After HELLO: reads the TASK, 24 bytes; says that it runs, too late; then a CANCEL must come, and
    # for that very task.
    fake_driver late 'LC_ALL=C' \
        'byte() { until IFS= read -r -d "" -n 1 -u 3 b; do :; done; }' \
        'hello' 'for i in {1..24}; do byte; done' \
        'read -r -t 0.3 <>nothing; state 1 1 0 1000000' \
        'byte; byte; [[ $b == $'"'\\x03'"' ]] || exit 9' \
        'for i in {1..7}; do byte; done; [[ $b == $'"'\\x01'"' ]] || exit 8' ': >taken_back' linger
    mkfifo nothing
    start_server -t 0.1 -g 0.2 --driver ./late
    create
    say "send_task $pid 1000"
    expect "Error: driver $pid is not responding"
    wait_until test -e taken_back
}

@test "stopped driver: after a task was taken back, cancel_task ends the next one" {
    start_server -t 1
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "send_task $pid 50"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    wait_until logged 'responds again'
    say "send_task $pid 50"
    expect "Driver $pid Busy 50"
    say "cancel_task $pid"
    expect "Driver $pid Available"
}

@test "stopped driver: a task sent behind the one that was taken back is taken" {
    start_server -t 1
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "send_task $pid 1000"
    expect "Error: driver $pid is not responding"
    say "send_task $pid 7"
    kill -CONT "$pid"
    expect "Driver $pid Busy 7"
}

@test "stopped driver: a task whose time to be answered is over when it is read never runs" {
    start_server -v -t 2
    create
    say 'create_driver'
    expect '*'
    other=${line//[^0-9]/}
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "send_task $other 1.6" "send_task $pid 1000"
    expect "Driver $other Busy 2"
    wait_until logged "driver $other task done" # so the next ones still have their time
    say "get_status $pid" "send_task $pid 7"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    expect "Driver $pid Available" "Driver $pid Busy 7"
}

@test "stopped driver: polled until its socket is full, a list still answers" {
    start_server -t 0.001
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    for _ in {1..600}; do
        say get_drivers
        expect "Driver $pid Unresponsive" '1 driver'
    done
    kill -CONT "$pid"
    wait_until logged 'responds again'
}

@test "stopped driver: a flood of commands to it holds its client back, and none is lost" {
    start_server -t 1
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    for _ in {1..30000}; do
        echo "get_status $pid"
    done >in 3>&- &
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    for _ in {2..30000}; do
        IFS= read -r -t "$DEADLINE" -u "$from" line
        [[ $line == "Driver $pid Available" || $line == "Error: driver $pid is not responding" ]] ||
            fail "$line"
    done
    [ "$line" = "Driver $pid Available" ]
    say get_drivers
    expect "Driver $pid Available" '1 driver'
}

@test "stopped driver: its socket full, a list does not wait for it for ever" {
    start_server -t 0.05
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    yes get_drivers | head -n 3000 >in 3>&- &
    for _ in {1..3000}; do
        IFS= read -r -t "$DEADLINE" -u "$from" line
        [ "$line" = "Driver $pid Unresponsive" ]
        IFS= read -r -t "$DEADLINE" -u "$from" line
        [ "$line" = '1 driver' ]
    done
}

@test "stopped driver: delete_driver kills it after the grace" {
    start_server -g 0.2
    create
    kill -STOP "$pid"
    say "delete_driver $pid" get_drivers
    expect "Driver $pid Deleted" '0 drivers'
    gone "$pid"
    [ "$(cat err)" = "server: driver $pid did not exit in time: killed" ]
}

@test "stopped server: what was answered meanwhile is not taken for late" {
    start_server -t 0.1
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "get_status $pid"
    wait_until socket_has_data
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    # Longer than the reply timeout, measured by a second server's own: the timer is ready first.
    mkdir other
    (
        cd other || exit
        start_server -v
        create
        say "send_task $pid 0.2"
        wait_until logged "driver $pid task done"
        end_input
        server_ends 0
    )
    kill -CONT "$pid"
    wait_until in_state "$pid" S
    kill -CONT "$server_pid"
    expect "Driver $pid Available"
}

# The stopped driver has been asked: its queue of the socket is not empty. There is nothing to see
# it by from outside but that the server sleeps again.
socket_has_data() {
    in_state "$server_pid" S && [ -z "$(children_of "$pid")" ]
}

@test "killed driver: what waits for it is answered with the cause" {
    start_server -t 100
    create
    first=$pid
    create
    kill -STOP "$first"
    wait_until in_state "$first" T
    say "get_status $first" "send_task $first 5" get_drivers "get_status $pid"
    wait_until took 6
    kill -KILL "$first"
    expect "Error: driver $first died (killed by signal 9)" \
        "Error: driver $first died (killed by signal 9)" \
        "Driver $pid Available" '1 driver' "Driver $pid Available"
}

@test "stop: commands that are not answered get what their driver says, or an Error" {
    start_server -t 100 -g 0.2
    create
    first=$pid
    create
    kill -STOP "$first"
    wait_until in_state "$first" T
    say "get_status $pid" "get_status $first" "get_status $pid"
    expect "Driver $pid Available"
    env printf 'shutdown\nget_drivers\n' >&"$to" # in one write: what is not read gets no reply
    expect 'Error: server is stopping' "Driver $pid Available" 'Error: server is stopping'
    server_ends 0
}

@test "a driver that cannot be run: the system's reason, and the path in the log" {
    : >plain
    for path in /no/such plain .; do
        run -0 --separate-stderr session --driver $path <<<$'create_driver\ncreate_driver 3'
        [[ $output == 'Error: cannot create driver: '@('No such file or directory'|'Permission denied')$'\nError: cannot create driver: '*$'\n0 drivers' ]]
        [[ $stderr == "server: cannot run $path: "* ]]
    done
}

@test "no descriptor left: create_driver stops there, says why, and the others work on" {
    start_after 'ulimit -n 24'
    say 'create_driver 100'
    count=0
    while reply && [[ $line == Driver* ]]; do
        count=$((count + 1))
    done
    # The second is musl's word for it.
    [[ $line == 'Error: cannot create driver: '@('Too many open files'|'No file descriptors available') ]]
    ((count > 5 && count < 24))
    expect "$count drivers"
    say get_drivers
    for ((i = 0; i < count; i++)); do
        expect 'Driver * Available'
    done
    expect "$count drivers"
}

@test "no memory left: costs the command that needs it; the server works on, and has it all back" {
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer reserves memory as it likes'
    start_server
    create_many 1000
    prlimit --pid "$server_pid" --data=1:unlimited
    # So many lists at once, which a stopped driver holds up, that what was spare is used up.
    kill -STOP "${pids[0]}"
    wait_until in_state "${pids[0]}" T
    say get_drivers get_drivers get_drivers get_drivers get_drivers
    wait_until took 6
    kill -CONT "${pids[0]}"
    say create_driver "get_status ${pids[7]}" fly
    lists=0
    while reply && [[ $line != 'Error: cannot list drivers: Cannot allocate memory' ]]; do
        [[ $line != '1000 drivers' ]] || lists=$((lists + 1))
    done
    for ((lists++; lists < 5; lists++)); do
        expect 'Error: cannot list drivers: Cannot allocate memory'
    done
    expect 'Error: cannot create driver: *' "Driver ${pids[7]} Available" \
        "Error: unknown command 'fly' (try help)"
    for _ in {1..500}; do
        echo "get_status ${pids[7]}"
    done >&"$to"
    for _ in {1..500}; do
        expect "Driver ${pids[7]} Available"
    done
    prlimit --pid "$server_pid" --data=unlimited:unlimited
    create
    say get_drivers
    for pid in "${pids[@]}" "$pid"; do
        expect "Driver $pid Available"
    done
    expect '1001 drivers'
}

@test "a stop while drivers are starting: told, and none is left" {
    fake_driver silent linger
    start_server -g 0.2 --driver ./silent
    say 'create_driver 100'
    wait_until has_children 32 # as many as may be at once
    kill -TERM "$server_pid"
    expect 'Error: server is stopping' '0 drivers'
    server_ends 0
}

@test "stopped server: a driver that has come up meanwhile is not taken for late" {
    mkfifo go
    fake_driver slow 'read -r _ <go' hello ': >said' linger
    start_server -g 0.2 --driver ./slow
    say create_driver
    wait_until has_children 1
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    wait_until past $(($(uptime_ms) + 5100)) # the driver has 5 s
    echo >go
    wait_until test -e said
    kill -CONT "$server_pid"
    expect 'Driver * Available'
}

@test "stopped server: a driver that has exited meanwhile is not taken for one that does not" {
    fake_driver deaf hello linger
    start_server -g 1 --driver ./deaf
    create
    say "delete_driver $pid" fly
    wait_until took 3
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    wait_until past $(($(uptime_ms) + 1100)) # the grace
    kill -KILL "$pid"
    wait_until in_state "$pid" Z
    kill -CONT "$server_pid"
    expect "Driver $pid Deleted" 'Error: unknown*'
    [[ $(<err) != *'did not exit in time'* ]]
}

@test "a driver that exits before it is up: how it ended" {
    start_server --driver /bin/false
    say create_driver 'create_driver 50' get_drivers
    expect 'Error: cannot create driver: +([0-9]) died (exited with status 1)' \
        'Error: cannot create driver: +([0-9]) died (exited with status 1)' '0 drivers' '0 drivers'
}

@test "create_driver COUNT: the first failure ends it, and what was started behind it" {
    # Every third driver is dead born. Many start at once: the one that creates the file has the number.
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

@test "a driver that does not come up in 5 s is killed, and another can be created" {
    fake_driver silent linger
    start_server --driver ./silent
    say create_driver get_drivers
    expect 'Error: cannot create driver: +([0-9]) did not come up in 5 s' '0 drivers'
    [ -z "$(children_of "$server_pid")" ]
}

@test "drivers that break the protocol before they are up" {
    cases=(
        'printf garbage-and-more-of-it >&3'
        'frame 2 65 4 0 "$(u32 $$)"' # version
        'frame 1 99 4 0 "$(u32 $$)"' # type
        'frame 1 2 0 0'              # a type that only the server sends
        'frame 1 65 5 0 "$(u32 $$)"' # length
        'hello 1'                    # pid
        'frame 1 65 4 9 "$(u32 $$)"' # a number where there is none
        'state 1 0 0 0'              # no HELLO first
    )
    for case in "${cases[@]}"; do
        fake_driver bad "$case" linger
        run -0 --separate-stderr session --driver ./bad <<<create_driver
        [[ $output == 'Error: cannot create driver: '+([0-9])' broke the protocol' ]] ||
            fail "$case: $output"
        [[ $stderr == 'server: driver '*': killed'* ]]
    done
}

@test "drivers that break the protocol later are killed and logged; others go on" {
    cases=(
        'hello'                         # a second one
        'frame 1 66 16 1'               # and the body never comes whole, then an end
        'state 1 0 0 0'                 # an answer that nobody asked for
        'frame 1 67 4 0 "$(u32 1)"'     # the end of no task
        'while :; do frame 1 67 4 0 "$(u32 1)"; done'
        'while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >&3; done'
    )
    for case in "${cases[@]}"; do
        fake_driver bad hello "$case" 'exec 3>&-' linger
        start_server -g 0.2 --driver ./bad
        say create_driver
        expect 'Driver +([0-9]) Available'
        bad=${line//[^0-9]/}
        wait_until logged "driver $bad died \(killed by signal 9\)"
        say get_drivers
        expect '0 drivers'
        end_input
        server_ends 0
        hang_up
    done
}

@test "drivers that answer nonsense: the asker is told that it died" {
    cases=(
        'state 2 0 0 0'   # another id
        'state 1 1 0 0'   # busy, and no time left
        'state 1 0 0 5'   # free, and time left
        'state 1 2 0 5'   # neither
        'state 1 0 9 0'   # an unknown refusal
        'state 1 0 2 0'   # a refusal that does not fit a question
    )
    for case in "${cases[@]}"; do
        # It answers when it is asked: read(2) of the nonblocking socket fails until then.
        fake_driver liar hello 'until read -r -n 1 -u 3 _ 2>/dev/null; do :; done' "$case" linger
        start_server --driver ./liar
        create
        say "get_status $pid"
        expect "Error: driver $pid died (killed by signal 9)"
        end_input
        server_ends 0
        hang_up
    done
}

@test "a driver that speaks one byte at a time is understood" {
    fake_driver slow 'for byte in 1 65 4 0 0 0 0 0 $(($$ & 255)) $(($$ >> 8 & 255)) $(($$ >> 16)) 0; do
        printf "$(u8 $byte)" >&3; done' linger
    start_server -g 0.2 --driver ./slow
    create
}

@test "a driver that closes its socket and stays is killed; one that exits soon is told by its status" {
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
    start_server --driver ./leaves
    create
    wait_until logged "driver $pid died \(exited with status 7\)"
}

@test "a driver that does not read any more is killed when it is to be asked" {
    command -v perl >/dev/null || skip 'no perl to shut a socket down with'
    fake_driver mute hello "exec perl -e 'open S, \"+<&=3\"; shutdown S, 0; open F, \">shut\"; sleep 1000'"
    start_server --driver ./mute
    create
    wait_until test -e shut
    say "get_status $pid" get_drivers
    expect "Error: driver $pid died (killed by signal 9)" '0 drivers'
    logged "driver $pid: does not read any more: killed"
}

@test "a driver that closes its socket before it is up has 5 s, whatever the grace" {
    fake_driver shut 'exec 3>&-' linger
    start_server -g 100 --driver ./shut
    say create_driver
    expect 'Error: cannot create driver: +([0-9]) did not come up in 5 s'
}

@test "a driver that closes its socket over a task: the task's Error comes in time, then its end" {
    fake_driver leaves 'LC_ALL=C' hello 'until IFS= read -r -d "" -n 1 -u 3 _ 2>/dev/null; do :; done' \
        'exec 3>&-' linger
    start_server -t 0.1 -g 0.5 --driver ./leaves
    create
    say "send_task $pid 5"
    expect "Error: driver $pid is not responding"
    say get_drivers
    expect '0 drivers'
    wait_until logged "driver $pid did not exit in time: killed"
}

@test "a driver whose own child keeps the socket open dies as any other" {
    fake_driver parent hello 'sleep 1000 & echo $! >grandchild' 'exit 5'
    start_server --driver ./parent
    say create_driver
    reply
    wait_until logged '(exited with status 5)'
    say get_drivers
    expect '0 drivers'
    kill -KILL "$(<grandchild)"
}

@test "a driver that ignores EXIT is killed after the grace, at every stop" {
    fake_driver deaf hello linger
    start_server -g 0.2 --driver ./deaf
    create
    kill -TERM "$server_pid"
    server_ends 0
    gone "$pid"
}

#!/usr/bin/env bats
# Drivers for whoever asks: any, wait, and those that the server keeps.

load helpers

# ---- any

@test "any: the driver that has been Available longest" {
    start_server
    create_many 3
    order=("${pids[2]}" "${pids[0]}" "${pids[1]}")
    for pid in "${order[@]}"; do
        say "send_task $pid 0.01" "wait $pid"
        expect "Driver $pid Busy 1" "Driver $pid Available"
    done
    say 'send_task any 100' 'send_task any 100' 'send_task any 100'
    for pid in "${order[@]}"; do
        expect "Driver $pid Busy 100"
    done
}

@test "any: with no driver at all, an Error; bad seconds as for a pid" {
    start_server
    say 'send_task any 5' 'send_task any 0' 'send_task any'
    expect 'Error: no driver' "Error: bad seconds '0'*" 'Error: usage: send_task PID SECONDS'
    create
    say "send_task $pid 100" 'send_task any 5'
    expect "Driver $pid Busy 100"
    wait_until took 6
    kill -KILL "$pid"
    expect 'Error: no driver'
}

@test "any: while all are busy it waits, and what is behind it of the same client" {
    start_listening
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    attach first
    attach second
    tell first 'send_task any 11' "get_status $pid" fly
    wait_until took 4
    tell second 'send_task any 22'
    wait_until took 5
    # Others go on.
    say "get_status $pid"
    expect "Driver $pid Busy *"
    say "cancel_task $pid"
    expect "Driver $pid Available"
    hear first "Driver $pid Busy 11" "Driver $pid Busy 11" "Error: unknown command 'fly' (try help)"
    say "cancel_task $pid"
    expect "Driver $pid Available"
    hear second "Driver $pid Busy 22"
}

@test "any: goes to a driver that is created meanwhile, not to one that does not respond" {
    start_listening -t 0.2
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "get_status $pid"
    expect "Error: driver $pid is not responding"
    attach other
    tell other 'send_task any 50'
    wait_until took 4
    stopped=$pid
    create
    hear other "Driver $pid Busy 50"
    kill -CONT "$stopped"
    wait_until logged "driver $stopped responds again"
    tell other 'send_task any 60'
    hear other "Driver $stopped Busy 60"
}

@test "any: a driver that dies over its task: the Error, and the next has the next" {
    fake_driver dies hello 'until read -r -n 1 -u 3 _ 2>/dev/null; do :; done' 'exit 7'
    start_server --driver ./dies
    create
    say 'send_task any 5'
    expect "Error: driver $pid died (exited with status 7)"
}

@test "any: many tasks for few drivers: none is lost, none doubled, each driver has its share" {
    start_listening
    create_many 4
    for name in one two three; do
        attach $name
        for i in {1..50}; do echo 'send_task any 0.005'; done >&"${client_to[$name]}"
        tell $name wait
    done
    for name in one two three; do
        for i in {1..50}; do
            hear $name 'Driver * Busy 1'
            count[${line//[^0-9]/}]=1
        done
        hear $name '4 drivers'
    done
    say stats
    expect '* tasks=150 tasks_done=150 *'
}

# ---- wait

@test "wait PID: until it has no task, and the commands behind it wait" {
    start_listening
    create_many 2
    say "wait ${pids[0]}" 'wait 77' 'wait x' "wait ${pids[0]} 5"
    expect "Driver ${pids[0]} Available" 'Error: no driver 77' "Error: bad pid 'x'" 'Error: usage: wait [[]PID]'
    say "send_task ${pids[0]} 100" "send_task ${pids[1]} 100"
    expect '*' '*'
    attach other
    tell other "wait ${pids[0]}" get_drivers
    wait_until took 9
    say "cancel_task ${pids[0]}"
    expect "Driver ${pids[0]} Available"
    hear other "Driver ${pids[0]} Available" "Driver ${pids[0]} Available" "Driver ${pids[1]} Busy *" '2 drivers'
}

@test "wait PID: a driver that dies, is deleted, or does not respond" {
    start_listening -t 0.2
    create_many 3
    for pid in "${pids[@]}"; do say "send_task $pid 100"; expect '*'; done
    for i in 0 1; do
        attach "client$i"
        tell "client$i" "wait ${pids[$i]}"
    done
    wait_until took 7
    kill -KILL "${pids[0]}"
    hear client0 "Error: driver ${pids[0]} died (killed by signal 9)"
    say "delete_driver ${pids[1]}"
    expect "Driver ${pids[1]} Deleted"
    hear client1 "Error: driver ${pids[1]} died (exited with status 0)"
    say "cancel_task ${pids[2]}"
    expect "Driver ${pids[2]} Available"
    kill -STOP "${pids[2]}"
    wait_until in_state "${pids[2]}" T
    for command in get_status wait; do
        say "$command ${pids[2]}"
        expect "Error: driver ${pids[2]} is not responding"
    done
}

@test "wait: until no driver has a task; a death does not hold it up" {
    start_listening
    say wait
    expect '0 drivers'
    create_many 3
    say wait
    expect '3 drivers'
    for pid in "${pids[@]}"; do say "send_task $pid 100"; expect '*'; done
    attach other
    tell other wait fly
    wait_until took 8
    kill -KILL "${pids[0]}"
    say "cancel_task ${pids[1]}" "cancel_task ${pids[2]}"
    expect '*' '*'
    hear other '2 drivers' "Error: unknown command 'fly' (try help)"
}

@test "wait: sees a task that was only just given" {
    start_server
    create
    for i in {1..20}; do
        say "send_task $pid 0.02" wait "get_status $pid"
        expect "Driver $pid Busy 1" '1 driver' "Driver $pid Available"
    done
}

@test "a batch: tasks for any, then wait, then the end of input: all were done" {
    tasks=$(for i in {1..20}; do echo 'send_task any 0.02'; done)
    ask 'create_driver 4' "$tasks" wait stats
    [ "$status" = 0 ]
    [ "$(grep -c 'Busy 1$' <<<"$output")" = 20 ]
    [[ $output == *$'\n4 drivers\nStats '*' tasks=20 tasks_done=20 '* ]]
    [ ! -s err ]
}

@test "a stop ends what waits" {
    start_listening
    create
    say "send_task $pid 100"
    expect '*'
    for command in 'send_task any 1' wait "wait $pid"; do
        attach "${command%% *}${#command}"
        tell "${command%% *}${#command}" "$command"
    done
    wait_until took 6
    kill -TERM "$server_pid"
    for command in 'send_task any 1' wait "wait $pid"; do
        hear "${command%% *}${#command}" 'Error: server is stopping'
        client_ends "${command%% *}${#command}" 3
    done
    server_ends 0
}

# ---- drivers that are kept

@test "--drivers: there are N when the first command is answered" {
    for count in 1 5 70; do
        run -0 --separate-stderr session -n $count <<<'get_drivers'
        [ "${lines[-1]}" = "$count driver$( ((count == 1)) || echo s)" ]
        ((${#lines[@]} == count + 1))
        [ "$stderr" = '' ]
    done
    for count in 0 -1 x '' 100001; do
        run -2 session -n "$count"
        [ "$output" = "server: bad --drivers '$count' (1 to 100000) (try --help)" ]
    done
}

@test "--drivers: one that dies is replaced, and it is logged and counted" {
    start_server --drivers 2
    for i in 1 2 3; do
        say get_drivers
        expect 'Driver * Available' 'Driver * Available' '2 drivers'
        line=
        say get_drivers
        expect 'Driver * Available'
        pid=${line//[^0-9]/}
        expect 'Driver * Available' '2 drivers'
        kill -KILL "$pid"
        wait_until counted replaced=$i
        wait_until counted drivers=2
    done
    log_is "server: driver * died (killed by signal 9)" 'server: driver * replaces one that died' 'server: Stats *'
    [ "$(grep -c 'replaces' err)" = 3 ]
}

# counted KEY=VALUE: the stats have it.
counted() {
    say stats
    expect 'Stats *'
    [[ "$line " == *" $1 "* ]]
}

@test "--drivers: one that was deleted, or told to exit by TERM, is not; nor one that was created besides" {
    start_server --drivers 3
    say get_drivers
    pids=()
    for i in 1 2 3; do
        expect 'Driver *'
        pids+=("${line//[^0-9]/}")
    done
    expect '3 drivers'
    create
    kill -KILL "$pid"
    kill -TERM "${pids[0]}"
    wait_until logged "driver ${pids[0]} died .exited with status 0"
    wait_until logged "driver $pid died .killed"
    say "delete_driver ${pids[1]}"
    expect "Driver ${pids[1]} Deleted"
    # Another death shows that the server has had its turn for these, too.
    kill -KILL "${pids[2]}"
    wait_until counted replaced=1
    wait_until counted drivers=1
    counted starting=0
    counted created=5
}

@test "--drivers: while new ones fail within a second, each try is later, twice as long as before" {
    fake_driver fails 'read -r up _ </proc/uptime; echo "${up/./}0" >>tries' 'exit 3'
    start_server --drivers 1 --driver ./fails
    say stats # is answered, though there is no driver
    expect 'Stats * drivers=0 *'
    wait_until tries 5
    mapfile -t at <tries
    for i in 1 2 3 4; do
        # 100, 200, 400, 800 ms; the clock shows hundredths of a second.
        ((at[i] - at[i - 1] >= 100 * (1 << (i - 1)) - 20)) || fail "tries at ${at[*]}"
    done
    # A stop does not wait for the next.
    kill -TERM "$server_pid"
    server_ends 0
    log_is 'server: driver * died (exited with status 3)' 'server: driver * replaces one that died'
}

tries() {
    (($(wc -l <tries) >= $1))
}

@test "--drivers: one that does not come up: commands are taken when that is known" {
    fake_driver slow 'read -r -t 1.1 _ <>nothing' 'exit 3'
    mkfifo nothing
    start_server --drivers 1 --driver ./slow
    say stats
    expect 'Stats * died=1 *'
    end_input
    server_ends 0
}

@test "--drivers: what cannot be run is told, and tried again" {
    start_server --drivers 2 --driver ./missing
    wait_until enough_failures
    "$BASH" -c "cp '$DRIVER' new && mv new missing"
    wait_until counted drivers=2
    log_is 'server: cannot run ./missing: No such file or directory' \
        'server: cannot create driver: No such file or directory'
}

enough_failures() {
    (($(grep -c 'cannot create driver' err) >= 2))
}

@test "--drivers: any waits for those that are to come" {
    fake_driver later 'read -r _ <go' 'exec '"$DRIVER"
    mkfifo go
    start_server --drivers 1 --driver ./later
    say 'send_task any 5'
    echo >go
    expect 'Driver * Busy 5'
    pid=${line#Driver }
    pid=${pid%% *}
    say 'send_task any 7'
    wait_until took 2
    kill -KILL "$pid"
    echo >go
    expect 'Driver * Busy 7'
}

#!/usr/bin/env bats
# Clients that die, or close their connection: what of their input is run, and what the log tells.

load lib/helpers

# half TEXT [shut]: sends that with half.pl while the server is stopped, and ends it, so that the
# server finds the text and the hangup at the same time.
half() {
    stop_process "$server_pid"
    "$LIB/half.pl" taxi.sock "$@" </dev/null
    kill -CONT "$server_pid"
}

# The server has handled what came before. The driver is idle again, so nothing more will be run.
all_is_over() {
    wait_until has_clients 1
    say wait
    expect '1 driver'
}

@test "half a line: it is not run if its client is killed while writing it" {
    start_listening
    create
    for how in '' shut; do
        # shellcheck disable=SC2086
        half "run any 50 echo whole >>run"$'\n'"run any 50 echo half >>run" $how
        all_is_over
    done
    [ "$(cat run)" = $'whole\nwhole' ]
    [ "$(grep -c '^server: client [0-9]* of user [0-9]* is gone after 1 line: half a line was dropped$' err)" = 2 ]
}

@test "half a line: it is not run if its client is killed while earlier commands hold it back" {
    start_listening
    create
    say "send_task $pid 1000"
    expect 'Driver *'
    mkfifo hold
    "$LIB/half.pl" taxi.sock $'wait\nrun any 50 echo half >run' shut <hold 3>&- {to}>&- {from}<&- &
    half_pid=$!
    started+=("$half_pid")
    exec {hold}>hold
    wait_until took 4
    kill -KILL "$half_pid"
    wait_until logged 'is gone after 1 line: half a line was dropped$'
    say "cancel_task $pid" wait
    expect 'Driver *' '1 driver'
    exec {hold}>&-
    [ ! -e run ]
}

@test "half a line: it is run if its client has ended its input and still listens" {
    start_listening
    create
    printf 'run any 50 echo last >run' >input
    run -0 "$LIB/exchange.pl" taxi.sock <input
    [ "$output" = 'Job 1 Done exit 0' ]
    [ "$(cat run)" = last ]
    printf 'run any 50 echo again >run' >input
    run -0 control <input
    [ "$output" = 'Job 2 Done exit 0' ]
    [ "$(cat run)" = again ]
}

@test "half a line: a client program that a signal ends does not send it, even if its input ends at the same time" {
    start_listening
    create
    for signal in INT TERM HUP; do
        attach $signal
        tell $signal get_drivers
        hear $signal 'Driver *' '1 driver'
        printf '%s' 'run any 50 echo half >run' >&"${client_to[$signal]}"
        # The signal and the end of the input come together, as by Ctrl+C at a pipeline.
        stop_process "${client_pid[$signal]}"
        detach $signal
        kill "-$signal" "${client_pid[$signal]}"
        kill -CONT "${client_pid[$signal]}"
        wait_until ended "${client_pid[$signal]}"
        all_is_over
    done
    [ ! -e run ]
    log_is 'server: Stats *'
}

@test "half a line: if standard input breaks off, it is not run, and the exit status says so" {
    run -1 --separate-stderr "$LIB/broken-input.pl" $'create_driver\nrun any 50 echo half >run' "$SERVER"
    [[ $output == 'Driver '*' Available' ]]
    [ "$stderr" = 'server: standard input broke off in the middle of a line, which is not run' ]
    [ ! -e run ]
    run -0 --separate-stderr "$LIB/broken-input.pl" $'create_driver\nrun any 50 echo whole >run\n' "$SERVER"
    [ "$stderr" = '' ]
    [ "$(cat run)" = whole ]
}

@test "half a line: if standard output fails while it is read, it is not run" {
    start_listening
    create
    exec {from}<&- {from}</dev/null
    stop_process "$server_pid"
    printf 'get_drivers\nrun any 50 echo half >run' >&"$to"
    kill -CONT "$server_pid"
    wait_until logged '^server: cannot write standard output: Broken pipe$'
    logged '^server: standard input broke off in the middle of a line, which is not run$'
    run -0 control wait
    [ ! -e run ]
}

@test "dropped: one log line says what a client that is gone left unrun" {
    start_listening
    create
    busy_with "$pid"
    printf '%s\n' 'run any 50 echo first >>run' 'run any 50 echo next >>run' "run $pid 50 echo busy >>run" \
        'run any 5x true' 'send_task any 5' 'run any 50 echo last >>run' >lines
    half "$(<lines)"$'\n'"run any 50 echo half"
    wait_until has_clients 1
    open_gate
    expect 'Job 1 Done exit 0'
    all_is_over
    [ ! -e run ]
    stats_have dropped=4
    wait_until logged 'is gone'
    log_is "server: client * of user $(id -u) is gone after 6 lines: half a line was dropped, 1 Error not read, 1 command not run, 4 jobs not run, the first is job 2: echo first >>run" 'server: Stats *'
}

# The server sleeps, and nothing that was sent before has woken it since.
sleeps() {
    local before
    before=$(switches "$server_pid")
    in_state "$server_pid" S && pause && [[ $(switches "$server_pid") == "$before" ]]
}

# fill_driver: stops the driver pid. A crowd of clients then fills its socket and its queue; client 1000
# has said nothing.
fill_driver() {
    stop_process "$pid"
    start_crowd
    crowd attach 1000
    crowd say 1 999 64 "get_status $pid" # more than its socket holds
    wait_until sleeps
}

@test "dropped: what a client that was held back had sent is counted, too" {
    start_listening
    create
    fill_driver
    crowd say 1000 1000 10 "get_status $pid"
    wait_until sleeps
    crowd close 1000 1000
    wait_until logged 'is gone after 1 line: 1 Error not read, 9 commands not run$' || fail "$(cat err)"
    half "get_status $pid"$'\n'"get_status $pid"$'\n'"get_status $pid"$'\nget_sta'
    wait_until logged 'is gone after 1 line: half a line was dropped, 1 Error not read, 2 commands not run$' || fail "$(cat err)"
    kill -CONT "$pid"
}

@test "dropped: a client that does not listen, and writes without end, holds up nobody else" {
    start_listening -t 1000
    create
    fill_driver
    run "$HELPERS/outrun" "$server_pid" taxi.sock fly "get_status $pid"
    [ "$status" != 2 ] || skip "$output"
    [ "$status" = 0 ] || fail "$output"
    control stats
    logged 'is gone after 1 line: (half a line was dropped, )?[0-9]+ commands not run$' || fail "$(cat err)"
}

@test "dropped: a job that fails after its client has gone is a line of the log; a good one is not" {
    start_listening
    create
    mkfifo gate
    for status in 0 3; do
        attach other$status
        tell other$status "run $pid 50 read x <gate; exit $status"
        wait_until has_children_of "$pid" 1
        kill -KILL "${client_pid[other$status]}"
        wait_until has_clients 1
        open_gate
        all_is_over
    done
    wait_until logged '^server: job 2 Done exit 3 after [0-9.]* s: read x <gate; exit 3$'
    log_is "server: job 2 Done *" 'server: Stats *'
    stats_have runs=2 failures=1 dropped=0
}

@test "-v: the log says who connects and how each client leaves" {
    start_listening -v
    attach one
    attach two
    for client in one two; do
        tell $client get_drivers
        hear $client '0 drivers'
    done
    wait_until has_clients 3
    detach one
    client_ends one 0
    kill -KILL "${client_pid[two]}"
    wait_until has_clients 1
    logged "^server: client ${client_pid[one]} of user $(id -u) has connected$"
    logged "^server: client ${client_pid[two]} of user $(id -u) has connected$"
    logged "^server: client ${client_pid[one]} of user $(id -u) has ended after 2 lines$"
    logged "^server: client ${client_pid[two]} of user $(id -u) is gone after 2 lines$"
}

@test "byte order mark: any client may send one before its first command" {
    printf '\357\273\277run any 50 exit 3\n' >lines
    run -4 --separate-stderr session --drivers 1 <lines
    [ "$output" = 'Job 1 Done exit 3' ]
    printf '\357\273\277# what to do\nget_drivers\n' >lines
    run -0 session <lines
    [ "$output" = '0 drivers' ]
    start_listening
    run -0 control <lines
    [ "$output" = '0 drivers' ]
    printf '\357\273\277get_drivers' >lines
    run -0 control <lines
    [ "$output" = '0 drivers' ]
    run -0 "$LIB/exchange.pl" taxi.sock <lines
    [ "$output" = '0 drivers' ]
    say $'get_drivers \357\273\277'
    expect 'Error: usage: get_drivers'
}

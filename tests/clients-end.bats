#!/usr/bin/env bats
# How the server ends a conversation: the other end reads all that it is owed, and then the end.

load lib/helpers

@test "end: after quit, a client that wrote much more reads every reply, and then the end" {
    start_listening
    for i in {1..40}; do
        run -0 "$LIB/writer.pl" taxi.sock 50000 'get_drivers of this server' $'get_drivers\nfly\nquit\n'
        [ "$output" = $'0 drivers\nError: unknown command \'fly\' (try help)' ]
    done
}

@test "end: a client that another user has started reads why it is refused, however much it writes" {
    become_other
    cp "$LIB/writer.pl" .
    start_listening
    chmod 666 taxi.sock
    for i in {1..40}; do
        run -0 "${as_other[@]}" ./writer.pl taxi.sock 20000 'get_drivers of this server' $'get_drivers\n'
        [ "$output" = "Error: only the server's own user may give it commands" ]
    done
}

@test "end: at a stop, clients that go on writing read every reply, and then the end" {
    start_listening
    create
    say "send_task $pid 1000"
    expect 'Driver *'
    writers=()
    for i in {1..20}; do
        "$LIB/writer.pl" taxi.sock endless '# no reply' $'get_drivers\nwait\n' >"said.$i" 2>&1 3>&- {to}>&- {from}<&- &
        writers+=("$!")
    done
    started+=("${writers[@]}")
    wait_until took 43
    kill -TERM "$server_pid"
    for i in {1..20}; do
        wait_until ended "${writers[i - 1]}"
        wait "${writers[i - 1]}" || fail "$(cat "said.$i")"
        [ "$(sed 1d "said.$i")" = $'1 driver\nError: server is stopping' ] || fail "$(cat "said.$i")"
    done
    server_ends 0
}

@test "end: at a stop, clients that could not be accepted for lack of descriptors are answered" {
    start bash -c "ulimit -n 24; exec '$SERVER' -g 50 --listen taxi.sock"
    wait_until control get_drivers
    start_crowd
    crowd attach 60
    crowd say 1 60 1 fly
    wait_until logged 'server: cannot accept a connection: Too many open files'
    kill -TERM "$server_pid"
    crowd hear 1 60 1 'Error: *'
    crowd end 1 60
    server_ends 0
    log_is 'server: cannot accept a connection: Too many open files'
}

@test "end: refused users can take only a few descriptors, and still get their reason" {
    become_other
    cp "$HELPERS/crowd" .
    start_listening
    chmod 666 taxi.sock
    mkfifo strangers.in strangers.out
    "${as_other[@]}" ./crowd taxi.sock "$DEADLINE" <strangers.in >strangers.out 3>&- {to}>&- {from}<&- &
    started+=("$!")
    exec {crowd_to}>strangers.in {crowd_from}<strangers.out
    client_to[crowd]=$crowd_to client_from[crowd]=$crowd_from
    crowd attach 200
    crowd hear 1 200 1 "Error: only the server's own user may give it commands"
    descriptors=("/proc/$server_pid/fd/"*)
    ((${#descriptors[@]} < 40)) || fail "${#descriptors[@]} descriptors"
    crowd end 1 200
    run -0 control get_drivers
    stats_have clients=1
}

@test "end: a client that has read its end and stays connected is no longer counted, and is dropped in time" {
    start_listening
    before=("/proc/$server_pid/fd/"*)
    start_crowd
    crowd attach 50
    crowd say 1 25 1 quit
    wait_until has_clients 26
    wait_until past "$(($(uptime_ms) + 100))" # the others' time is another one
    crowd say 26 50 1 quit
    crowd end 1 50
    wait_until has_clients 1
    as_before() { local now=("/proc/$server_pid/fd/"*); ((${#now[@]} == ${#before[@]})); }
    wait_until as_before
}

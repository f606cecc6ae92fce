#!/usr/bin/env bats
# A socket that a service manager has made, and that it gives to the server, sd_listen_fds(3).

load lib/helpers

teardown() {
    local child
    for child in $(children_of "$server_pid"); do # of a manager
        [[ ! /proc/$child/exe -ef $SERVER ]] || started=("$child" "${started[@]}")
    done
    end_started
}

# activated [OPTION...]: starts a server at such a socket. What comes before -- are options of
# activate.pl.
activated() {
    local manager=()
    while (($# > 0)) && [[ $1 != -- ]]; do
        manager+=("$1")
        shift
    done
    start perl "$LIB/activate.pl" "${manager[@]}" taxi.sock "$SERVER" "${PATIENT[@]}" "${@:2}"
    wait_until test -S taxi.sock
    wait_until in_state "$server_pid" S # the manager or its server waits: the socket listens
}

# is_refused REASON OPTION... [-- OPTION...]: a server that is started like that says why, and ends with
# status 2.
is_refused() {
    local manager=() reason=$1
    shift
    while (($# > 0)) && [[ $1 != -- ]]; do
        manager+=("$1")
        shift
    done
    rm -f taxi.sock
    run -2 timeout --foreground 120 perl "$LIB/activate.pl" "${manager[@]}" taxi.sock "$SERVER" "${@:2}" </dev/null
    [ "$output" = "server: $reason" ] || fail "$output"
}

@test "activation: clients are served; the end of input does not stop the server; the socket's file stays" {
    activated
    before=$(stat -c '%d %i' taxi.sock)
    run -0 control create_driver
    [[ $output == 'Driver '+([0-9])' Available' ]]
    create
    end_input
    run -0 control get_drivers
    [ "${lines[2]}" = '2 drivers' ]
    run -3 control run any 60 'exit 3' # with a batch, 4 would be the server's status
    control shutdown
    server_ends 0
    [ "$(stat -c '%d %i' taxi.sock)" = "$before" ]
    [ ! -e taxi.sock.lock ]
    log_is 'server: job 1 Done exit 3 *'
}

@test "activation: drivers and jobs get neither the socket nor LISTEN_*" {
    activated -- --output output
    create
    say 'run any 60 env; ls -l /proc/self/fd'
    expect 'Job 1 Done exit 0'
    run ! grep -E 'LISTEN_|socket:' output/1.out
    grep -q ^PATH= output/1.out
    [ -z "$(cat output/1.err)" ]
    listening=$(readlink "/proc/$server_pid/fd/3")
    [[ $listening == socket:* ]]
    for driver_fd in "/proc/$pid/fd/"*; do
        [ "$(readlink "$driver_fd")" != "$listening" ]
    done
}

@test "activation: when the server has ended, the next client starts another; none is turned away" {
    activated --again -- --drivers 1 -g 1
    control get_drivers | grep -qx '1 driver'
    first=$(children_of "$server_pid")
    driver=$(control get_drivers | sed -n 's/Driver \(.*\) Available/\1/p')
    kill -STOP "$driver" # so the stop takes as long as the grace period
    wait_until in_state "$driver" T
    control shutdown
    # The first server does not accept this one. It must not end its wait, either.
    run -0 control get_drivers
    [ "${lines[1]}" = '1 driver' ]
    expect 'status 0, blocking'
    wait_until ended "$first"
    second=$(children_of "$server_pid")
    [ "$first" != "$second" ]
    kill -TERM "$second"
    expect 'status 0, blocking'
    [ -S taxi.sock ]
    run -0 control stats
    [[ $output == *' clients=2 '* ]]
    control shutdown
    expect 'status 0, blocking'
}

@test "activation: a stop does not accept all clients that go on connecting; the next server answers the others" {
    activated --again --backlog 128
    control get_drivers
    first=$(children_of "$server_pid")
    first=${first% }
    wait_until rests "$first"
    stop_process "$first"
    kill -TERM "$first" # the server sees it before the clients, in one turn
    start_crowd
    crowd attach 100 # more than a turn accepts
    crowd say 1 100 1 fly
    kill -CONT "$first"
    expect 'status 0, blocking'
    crowd hear 1 1 1 'Error: server is stopping'
    crowd hear 100 100 1 "Error: unknown command 'fly' (try help)"
    control shutdown
    expect 'status 0, blocking'
}

@test "activation: the socket is left as it was: blocking, or not; also if the start fails" {
    activated --again -- --output /dev/null/no
    attach one
    expect 'status 1, blocking'
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
    rm taxi.sock
    activated --again --nonblock
    control shutdown
    expect 'status 0'
}

@test "activation: if another process makes the socket blocking, the server does not wait in accept" {
    activated --again
    control get_drivers
    kill -USR1 "$server_pid"
    expect blocking
    for i in 1 2; do
        run -0 control get_drivers
        [ "$output" = '0 drivers' ]
    done
    control shutdown
    expect 'status 0, blocking'
}

@test "activation: with another LISTEN_PID there is no such socket" {
    for pid in 1 '' x 99999999999999999999; do
        rm -f taxi.sock
        run -0 timeout 120 perl "$LIB/activate.pl" --pid "$pid" taxi.sock "$SERVER" <<<get_drivers
        [ "$output" = '0 drivers' ] || fail "$output"
    done
}

@test "activation: anything but one UNIX stream socket that listens is refused, with the reason" {
    not_listening='descriptor 3, from the service manager, is no UNIX stream socket that listens'
    for kind in bound dgram seqpacket tcp file; do
        is_refused "$not_listening" --kind $kind
    done
    for count in 2 0 x ''; do
        is_refused "the service manager gives LISTEN_FDS=$count, and not exactly one socket" --fds "$count"
    done
    is_refused '--listen does not go with a socket of the service manager (LISTEN_FDS) (try --help)' -- --listen other
    is_refused "bad --ready-fd '3' (it is the service manager's socket) (try --help)" -- --ready-fd 3
    [ ! -e other ]
}

@test "activation: a client program does not care about LISTEN_FDS" {
    start_listening
    mv taxi.sock real.sock
    run -0 timeout 120 perl "$LIB/activate.pl" --fds 7 taxi.sock "$SERVER" --connect real.sock get_drivers
    [ "$output" = '0 drivers' ]
}

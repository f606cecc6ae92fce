#!/usr/bin/env bats
# How a server tells whoever started it that it is ready.

load lib/helpers

# start_manager SOCKET: starts a stand-in for a service manager, which writes each message to that
# socket into the file notified.
start_manager() {
    : >notified # an earlier one may have written to it
    "$LIB/manager.pl" "$1" >notified 3>&- &
    started+=("$!")
    wait_until grep -q bound notified
}

notified_are() {
    [ "$(sed 1d notified)" = "$1" ] || return
}

@test "readiness: NOTIFY_SOCKET gets one message at the start and one at the stop" {
    for socket in "$PWD/notify" "@taxi-test-$$-$BATS_TEST_NUMBER"; do
        start_manager "$socket"
        start env "NOTIFY_SOCKET=$socket" "$SERVER" --drivers 2
        wait_until notified_are $'READY=1\nSTATUS=Running'
        say get_drivers
        expect '*' '*' '2 drivers'
        kill -TERM "$server_pid"
        server_ends 0
        wait_until notified_are $'READY=1\nSTATUS=Running\nSTOPPING=1\nSTATUS=Stopping'
        [ ! -s err ]
        hang_up
    done
}

@test "readiness: reported once the first drivers are up, and never if they do not come up" {
    fake_driver later 'read -r _ <go' "exec '$DRIVER'"
    mkfifo go
    start_manager "$PWD/notify"
    start env "NOTIFY_SOCKET=$PWD/notify" bash -c "exec '$SERVER' --drivers 1 --driver ./later --ready-fd 9 9>ready"
    wait_until has_children 1
    notified_are ''
    [ ! -s ready ]
    echo >go
    wait_until test -s ready
    [ "$(od -An -c ready)" = '  \n' ]
    wait_until notified_are $'READY=1\nSTATUS=Running'
    kill -TERM "$server_pid"
    server_ends 0
    hang_up
    rm ready
    start bash -c "exec '$SERVER' --drivers 1 --driver /bin/false --ready-fd 9 9>ready"
    wait_until logged 'died'
    say stats
    expect 'Stats *'
    [ ! -s ready ]
}

# one_driver: there is exactly one driver. Sets pid to its pid.
one_driver() {
    say get_drivers
    reply
    [[ $line == Driver* ]] || return
    pid=${line//[^0-9]/}
    expect '1 driver'
}

@test "readiness: reported though one of the first drivers was deleted before all were up" {
    # The second driver comes up only once the file go exists.
    fake_driver second 'set -C' ': 2>/dev/null >first || { [ -e go ] || exit 3; }' "exec '$DRIVER'"
    start bash -c "exec '$SERVER' --drivers 2 --driver ./second --ready-fd 9 9>ready"
    wait_until one_driver # the server takes commands once the second driver has failed
    say "delete_driver $pid"
    expect 'Driver * Deleted'
    [ ! -s ready ]
    : >go
    wait_until test -s ready
}

@test "readiness: if NOTIFY_SOCKET is missing or not valid, the server logs that and works on" {
    for socket in "$PWD/missing" vsock:1:2 "/$(printf '%0200d' 0)"; do
        run -0 --separate-stderr env "NOTIFY_SOCKET=$socket" "$SERVER" <<<'get_drivers'
        [ "$output" = '0 drivers' ]
        [[ $stderr == "server: cannot notify $socket: "* ]]
    done
}

@test "readiness: --ready-fd is closed after use; if it cannot be written to, that is logged" {
    mkfifo ready
    start bash -c "exec '$SERVER' --ready-fd 9 9<>ready"
    say get_drivers
    expect '0 drivers'
    [ ! -e "/proc/$server_pid/fd/9" ]
    hang_up
    start bash -c "exec '$SERVER' --ready-fd 9 9</dev/null"
    say get_drivers
    expect '0 drivers'
    logged 'server: cannot write to descriptor 9: Bad file descriptor'
    for fd in 77 0 1 2 x -1 ''; do
        run -2 session --ready-fd "$fd"
        [[ $output == "server: bad --ready-fd '$fd' ("*' (try --help)' ]]
    done
}

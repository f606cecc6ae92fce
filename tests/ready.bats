#!/usr/bin/env bats
# How whoever started the server learns that it is ready, and replies as JSON.

load helpers

# A service manager's socket, as sd_notify(3) has it: what is sent there comes as lines to the file notified.
start_manager() {
    perl -MSocket -MIO::Handle -e '
        socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; $ARGV[0] =~ s/^@/\0/;
        bind $s, pack_sockaddr_un($ARGV[0]) or die; STDOUT->autoflush; print "bound\n";
        while (defined recv $s, my $text, 4096, 0) { print "$text\n" }' "$1" >notified 3>&- &
    started+=("$!")
    wait_until grep -q bound notified
}

notified_are() {
    [ "$(sed 1d notified)" = "$1" ] || return
}

@test "readiness: NOTIFY_SOCKET is told of the start and of the stop, once each" {
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

@test "readiness: not before the first drivers are up, nor if they do not come up" {
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

@test "readiness: one of the first drivers was deleted before all were up" {
    # The second comes up only when there is the file go.
    fake_driver second 'set -C' ': 2>/dev/null >first || { [ -e go ] || exit 3; }' "exec '$DRIVER'"
    start bash -c "exec '$SERVER' --drivers 2 --driver ./second --ready-fd 9 9>ready"
    wait_until one_driver # for commands are taken when the second has failed
    say "delete_driver $pid"
    expect 'Driver * Deleted'
    [ ! -s ready ]
    : >go
    wait_until test -s ready
}

# There is one driver, and its pid is in pid.
one_driver() {
    say get_drivers
    reply
    [[ $line == Driver* ]] || return
    pid=${line//[^0-9]/}
    expect '1 driver'
}

@test "readiness: a socket that is not there, or no path of one, is told and costs nothing" {
    for socket in "$PWD/missing" vsock:1:2 "/$(printf '%0200d' 0)"; do
        run -0 --separate-stderr env "NOTIFY_SOCKET=$socket" "$SERVER" <<<'get_drivers'
        [ "$output" = '0 drivers' ]
        [[ $stderr == "server: cannot notify $socket: "* ]]
    done
}

@test "readiness: the descriptor is closed; one that cannot be written is told" {
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

# ---- JSON

# Each line of the input is one JSON object, by a strict parser; prints them with their keys in order.
json() {
    perl -MJSON::PP -ne '
        BEGIN { our $json = JSON::PP->new->canonical }
        our $json; chomp; my $object = $json->decode($_);
        ref $object eq "HASH" or die "no object: $_";
        print $json->encode($object), "\n"' || fail 'not strict JSON'
}

@test "JSON: every kind of reply" {
    start_server --json -t 0.2 -g 0.2
    say create_driver
    reply
    pid=${line//[^0-9]/}
    [ "$line" = "{\"driver\":$pid,\"state\":\"available\"}" ]
    say "send_task $pid 100"
    expect "{\"driver\":$pid,\"state\":\"busy\",\"left_ms\":100000}"
    say "send_task $pid 5"
    expect "{\"error\":\"driver $pid Busy 100\",\"code\":\"busy\"}"
    say "get_status $pid"
    expect "{\"driver\":$pid,\"state\":\"busy\",\"left_ms\":*}"
    say "cancel_task $pid" "cancel_task $pid" 'get_status 5' 'get_status x' 'send_task any x' 'create_driver x'
    expect "{\"driver\":$pid,\"state\":\"available\"}" \
        "{\"error\":\"driver $pid has no task\",\"code\":\"no_task\"}" \
        '{"error":"no driver 5","code":"no_driver"}' "{\"error\":\"bad pid 'x'\",\"code\":\"bad_pid\"}" \
        "{\"error\":\"bad seconds 'x' (above 0, at most 31536000)\",\"code\":\"bad_seconds\"}" \
        "{\"error\":\"bad count 'x' (1 to 100000)\",\"code\":\"bad_count\"}"
    say get_status wait "wait $pid"
    expect '{"error":"usage: get_status PID","code":"usage"}' '{"count":1}' "{\"driver\":$pid,\"state\":\"available\"}"
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say get_drivers "get_status $pid" "delete_driver $pid"
    expect "{\"driver\":$pid,\"state\":\"unresponsive\"}" '{"count":1}' \
        "{\"error\":\"driver $pid is not responding\",\"code\":\"not_responding\"}" \
        "{\"driver\":$pid,\"state\":\"deleted\"}"
    say 'send_task any 1' "$(printf '%5000d' 0)"
    expect '{"error":"no driver","code":"no_driver"}' '{"error":"line too long (limit 4096 bytes)","code":"line_too_long"}'
    say stats
    reply
    [[ $(json <<<"$line") == *'"commands":18,'*'"uptime":'* ]]
    hang_up
    printf '%s\n' help | session --json | json | tail -n 1 | grep -qx '{"count":14}'
}

@test "JSON: strict, whatever the input" {
    perl -e '
        srand 1; binmode STDOUT;
        print join("", map { chr } 0 .. 9, 11 .. 255), "\n";
        print "\"\\\" \\\\\" {}\n", "\"" x 300, "\n", "\\" x 300, "\n", "\xff" x 300, "\n";
        for (1 .. 3000) { print map({ chr int rand 256 } 1 .. rand 100), "\n" }
        print "get_status \"\nsend_task any \"\\\ncreate_driver \x01\"\n"' >input
    session --json <input >output
    json <output >objects
    (($(wc -l <objects) > 3000))
    grep -qF '"error":"bad pid '"'\\\"'\"" objects
    grep -qF 'unknown command '"'\\\"\\\\\\\"'" objects
}

@test "JSON: from a command on, for one client; those before it are answered as text" {
    start_listening
    create
    say "get_status $pid" 'session json' "get_status $pid" 'session nonsense json' get_drivers
    expect "Driver $pid Available" "{\"driver\":$pid,\"state\":\"available\"}" \
        "{\"error\":\"bad word 'nonsense' (json, prompt or farewell)\",\"code\":\"usage\"}" \
        "{\"driver\":$pid,\"state\":\"available\"}" '{"count":1}'
    run -0 control get_drivers
    [ "${lines[1]}" = '1 driver' ]
    run -0 control --json get_drivers
    [ "${lines[1]}" = '{"count":1}' ]
    run -1 control --json get_status 5
    [ "$output" = '{"error":"no driver 5","code":"no_driver"}' ]
}

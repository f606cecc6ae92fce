#!/usr/bin/env bats
# A driver and whoever is at the other end of its socket: frames as proto.h has them.

load helpers

@test "driver: takes one task at a time, and tells of its end before any later answer" {
    as_server '
        sub task { frame(1, $_[0], pack "QQ", $_[1], ~0) }
        task(1, 100000); my ($type, $id, $body) = hear();
        check($type == 66 && $id == 1 && join(" ", unpack "CCx6Q", $body) eq "1 0 100000");
        task(2, 5); ($type, $id, $body) = hear();
        my ($busy, $refusal, $left) = unpack "CCx6Q", $body;
        check($id == 2 && $busy == 1 && $refusal == 1 && $left > 5);
        frame(3, 3, pack "L", 2); ($type, $id, $body) = hear(); # another task than the one that runs
        check($id == 3 && unpack("xC", $body) == 2);
        frame(3, 4, pack "L", 1); ($type, $id, $body) = hear();
        check($type == 67 && unpack("L", $body) == 2);
        ($type, $id, $body) = hear();
        check($id == 4 && join(" ", unpack "CCx6Q", $body) eq "0 0 0");
        frame(1, 5, pack "QQ", 100000, 1); ($type, $id, $body) = hear(); # expired long ago
        check($id == 5 && unpack("xC", $body) == 3);
        task(6, 1); hear(); ($type, $id, $body) = hear(); # by the timer
        check($type == 67 && unpack("L", $body) == 1);
        frame(4, 0); check(!hear())'
}

# What is ready first is handled first: a request that came before the task was over.
@test "driver: a task that is over has ended, also before its timer was looked at" {
    as_server '
        sub stopped { open my $f, "<", "/proc/$driver/stat"; <$f> =~ /\) T/ }
        frame(1, 1, pack "QQ", 200, ~0); hear();
        kill "STOP", $driver; select undef, undef, undef, 0.01 until stopped();
        frame(2, 2); frame(1, 3, pack "QQ", 100000, ~0);
        select undef, undef, undef, 0.3; # the task is over by then
        kill "CONT", $driver;
        my ($type, $id, $body) = hear(); check($type == 67 && unpack("L", $body) == 1);
        ($type, $id, $body) = hear(); check($id == 2 && unpack("C", $body) == 0);
        ($type, $id, $body) = hear(); check($id == 3 && unpack("C", $body) == 1);
        frame(2, 4); ($type, $id, $body) = hear(); check($id == 4 && unpack("C", $body) == 1)'
}

@test "driver: a server that breaks the protocol is told so, and left with status 1" {
    cases=(
        'bytes pack "CCSL", 2, 2, 0, 1'        # version
        'frame(9, 1)'                          # type
        'frame(66, 1, "x" x 16)'               # a type that only a driver sends
        'frame(2, 1, "x")'                     # length
        'frame(2, 0)'                          # no number where there should be one
        'frame(4, 1)'                          # a number where there should be none
        'frame(1, 1, pack "QQ", 0, ~0)'        # a task of no time
        'frame(1, 1, pack "QQ", 31536000001, ~0)' # and of more than a year
    )
    for case in "${cases[@]}"; do
        run -1 as_server "$case; check(!hear())"
        [[ $output == 'driver['+([0-9])']: the server broke the protocol' ]] || fail "$case: $output"
    done
}

@test "driver: a server that speaks one byte at a time is understood" {
    as_server '
        for (1 .. 20) { bytes $_ for split //, packed(2, $_); my ($type, $id) = hear(); check($id == $_) }'
}

@test "driver: a server that does not read is not read from; each request is answered in the end" {
    as_server '
        my ($sent, $answered) = (fill(), 0);
        check($sent > 100);
        while ($answered < $sent) { my ($type, $id) = hear(); check($id == ++$answered) }'
}

@test "driver: what it cannot do without costs it, and is told" {
    run -1 env FAULT=epoll_ctl:MOD:1 bash -c "$(declare -f as_server); as_server '
        fill()
' '$FAULTY/driver'"
    [[ $output == 'driver['+([0-9])']: cannot watch the socket: '* ]]
}

@test "driver: its log goes to a socket as well; without standard error it is silent" {
    run -0 perl -MSocket -e '
        socketpair(A, B, AF_UNIX, SOCK_STREAM, 0); open STDERR, ">&B"; close B;
        system $ARGV[0]; print $? >> 8, " "; close STDERR; print <A>' "$DRIVER" 3>&-
    [[ $output == '2 driver['+([0-9])']: started by the server, not by hand'* ]]
    run -2 bash -c "'$DRIVER' 2>&- 3>&-"
    [ -z "$output" ]
}

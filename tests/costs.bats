#!/usr/bin/env bats
# What can be counted of what the server costs, on the normal build. What has to be timed is measured
# by make bench, and asserted nowhere.

load helpers

@test "a pipelined command costs less than a tenth of a system call, in the server and in the driver" {
    command -v strace >/dev/null || skip 'no strace to count with'
    cd "$ROOT"
    run -0 build/bench/load calls 50000
    read -r by_server by_driver <<<"$output"
    awk -v server="$by_server" -v driver="$by_driver" 'BEGIN {
        exit !(server > 0 && server < 0.1 && driver > 0 && driver < 0.1) }' || fail "$output"
}

@test "nothing is allocated or freed once drivers and clients exist" {
    cd "$ROOT"
    run -0 build/bench/load allocs 20000 build/bench/count-allocs.so
    [ "$output" = 0 ]
}

@test "a thousand idle drivers: no wakeup, and none is left after TERM" {
    cd "$ROOT"
    run -0 build/bench/load many 1000
    read -r _ _ _ wakeups left <<<"$output"
    [ "$wakeups $left" = '0 0' ]
}

# A command that was read is run, and its driver asked, in the same turn of the loop, or in the next if the
# one who floods has its turn before; the one after that if somebody else is just leaving. So is an answer
# that was received written.
@test "a client that floods costs the others no more than a turn of the loop" {
    command -v strace >/dev/null || skip 'no strace to count with'
    start strace -D -qq -o trace -s 64 -e trace=epoll_wait,recvfrom,sendto "$SERVER" --listen taxi.sock
    wait_until test -S taxi.sock
    wait_until control create_driver 2
    run -0 control get_drivers
    flooded=${lines[0]//[^0-9]/} asked=${lines[1]//[^0-9]/}
    : >trace
    control "get_status $asked" >/dev/null
    driver=$(sed -n 's/^sendto(\([0-9]*\), "\\1.*/\1/p' trace)
    for flood in "get_status $flooded" "get_status $asked" fly get_drivers; do
        # One process writes, the other reads; TERM ends both.
        raw 'my $s = attach(); my $writer = fork;
             if (!$writer) { 1 while syswrite $s, "'"$flood"'\n" x 5000; exit }
             $SIG{TERM} = sub { kill "KILL", $writer; exit };
             1 while sysread $s, my $replies, 65536' &
        flooding=$!
        started+=("$flooding")
        control "get_status $asked" >/dev/null # the flood has begun
        : >trace
        raw 'my $s = attach(); for (1 .. 100) { print $s "get_status '"$asked"'\n"; line($s) =~ /Available/ or die }'
        perl -e '
            my ($pid, $driver, $client, $turns, $asked) = @ARGV;
            while (<STDIN>) {
                $turns++ if /^epoll_wait/;
                if (/^recvfrom\((\d+), "get_status $pid\\n", /) { ($client, $turns) = ($1, 0) }
                next unless defined $client;
                if (/^sendto\($driver, / && $turns >= 0) {
                    $turns <= 2 or die "line $.: asked after $turns turns\n";
                    $turns = -1e9; # until it answers
                }
                $turns = 0 if /^recvfrom\($driver, "/ && $turns < 0;
                if (/^sendto\($client, "Driver $pid Available\\n"/) {
                    $turns <= 2 or die "line $.: answered after $turns turns\n";
                    undef $client;
                    $asked++;
                }
            }
            $asked >= 90 or die "only $asked seen\n"' "$asked" "$driver" <trace
        kill -TERM "$flooding"
        wait "$flooding" || true
    done
}

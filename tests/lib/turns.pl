#!/usr/bin/perl
# turns.pl PID DRIVER: reads a trace of the server by strace(1). The server must pass on each
# question to the driver PID, at the descriptor DRIVER, within two turns of the loop, and so the
# answer.
use strict;
use warnings;

my ($pid, $driver) = @ARGV;
my ($client, $turns, $asked) = (undef, 0, 0);
while (<STDIN>) {
    $turns++ if /^epoll_wait/;
    ($client, $turns) = ($1, 0) if /^recvfrom\((\d+), "get_status $pid\\n", /;
    next unless defined $client;
    if (/^sendto\($driver, / && $turns >= 0) {
        $turns <= 2 or die "line $.: asked after $turns turns\n";
        $turns = -1e9;    # until the driver answers
    }
    $turns = 0 if /^recvfrom\($driver, "/ && $turns < 0;
    if (/^sendto\($client, "Driver $pid Available\\n"/) {
        $turns <= 2 or die "line $.: answered after $turns turns\n";
        undef $client;
        $asked++;
    }
}
$asked >= 90 or die "only $asked seen\n";

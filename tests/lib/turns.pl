#!/usr/bin/perl
# turns.pl PID DRIVER: reads a trace of the server by strace(1). The server must pass on each
# question to the driver PID, at the descriptor DRIVER, within two turns of the loop, and so the
# answer. A turn's time may be over after one client if another process gets the processor in it; this
# may delay one in ten, by as many turns as there are clients.
use strict;
use warnings;

use constant CLIENTS => 4;

my ($pid, $driver) = @ARGV;
my ($client, $turns, $asked, $late) = (undef, 0, 0, 0);

sub done {
    my ($what) = @_;
    $turns <= 2 + CLIENTS or die "line $.: $what after $turns turns\n";
    $late++ if $turns > 2;
}

while (<STDIN>) {
    $turns++ if /^epoll_wait/;
    ($client, $turns) = ($1, 0) if /^recvfrom\((\d+), "get_status $pid\\n", /;
    next unless defined $client;
    if (/^sendto\($driver, / && $turns >= 0) {
        done('asked');
        $turns = -1e9;    # until the driver answers
    }
    $turns = 0 if /^recvfrom\($driver, "/ && $turns < 0;
    if (/^sendto\($client, "Driver $pid Available\\n"/) {
        done('answered');
        undef $client;
        $asked++;
    }
}
$asked >= 90 or die "only $asked seen\n";
$late <= 10 or die "$late came late\n";

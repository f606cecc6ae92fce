#!/usr/bin/perl
# gone.pl SOCKET COUNT BUSY STOPPED: COUNT clients send commands that must wait for BUSY, a driver
# with a long task, or for STOPPED, a driver that is stopped. Then they go. Fails if the server does
# not forget them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Connection;

my ($socket, $count, $busy, $stopped) = @ARGV;
my $patience = 60; # seconds
my $awaited = 'the server to read no more';
$SIG{PIPE} = 'IGNORE';
$SIG{ALRM} = sub { die "gone.pl: waited $patience s in vain for $awaited\n" };
alarm $patience;

# A client that stays fills the stopped driver's socket and queue. After that, the server stops
# reading from every client that has more than one question for the driver.
my ($stays, $asks) = (attach($socket), attach($socket));
$stays->{up} = "get_status $stopped\n" x 200000;
fill(sub { my $sent = send_some($stays); sysread $stays->{s}, my $replies, 1 << 20; $sent }, $stays);
length $stays->{up} or die "gone.pl: the server takes every question to a stopped driver\n";

my @waits = ("wait\n", "wait $busy\n", "send_task any 1\n", "get_status $stopped\n" x 20000);
for my $i (0 .. $count - 1) {
    my $c = attach($socket);
    $c->{up} = "session farewell\nnonsense\n" . $waits[$i % @waits] . "nonsense\n";
    send_some($c);
    next if $i / @waits % 2; # gone at once
    $awaited = 'the reply to the first nonsense';
    alarm $patience;
    wait_for($c);
    shutdown $c->{s}, 1 if $i / @waits % 4;
}

# Only these two clients and the server's standard input are left.
$awaited = 'the server to forget the clients that have gone, or to answer stats';
alarm $patience;
until ($asks->{down} =~ /\bclients=3\b.*\n\z/) {
    select undef, undef, undef, 0.05;
    ($asks->{down}, $asks->{up}) = ('', "stats\n");
    send_some($asks);
    until ($asks->{down} =~ /\n\z/) {
        wait_for($asks);
        sysread $asks->{s}, $asks->{down}, 65536, length $asks->{down};
    }
}

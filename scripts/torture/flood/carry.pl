#!/usr/bin/perl
# carry.pl COMMAND...: runs the command with a socket as its standard output. Once the FIFO "out"
# has a reader, copies the output there; closes the socket when the reader goes away. Ends with the
# command's status.
use strict;
use warnings;
use Socket;

my $pid;

sub leave {
    waitpid $pid, 0;
    exit($? & 127 ? 128 + $? : $? >> 8);
}

socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!";
$SIG{CHLD} = \&leave; # until the FIFO has a reader
$SIG{PIPE} = 'IGNORE';
defined($pid = fork) or die "fork: $!";
if (!$pid) {
    open STDOUT, '>&', $far or die "dup: $!";
    exec @ARGV or die "exec: $!";
}
close $far;
my ($out, $data);
1 until open $out, '>', 'out';
$SIG{CHLD} = 'DEFAULT';
1 while sysread($near, $data, 65536) && syswrite $out, $data;
close $near;
close $out;
leave();

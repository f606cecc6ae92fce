#!/usr/bin/perl
# stderr-socket.pl PROGRAM: runs the program with a socket as standard error; prints its exit status
# and what it wrote there.
use strict;
use warnings;
use Socket;

socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, 0) or die "socketpair: $!";
open STDERR, '>&', $its or die;
close $its;
system $ARGV[0];
print $? >> 8, ' ';
close STDERR;
print <$ours>;

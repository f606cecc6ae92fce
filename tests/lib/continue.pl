#!/usr/bin/perl
# continue.pl GROUP FILE: continues the processes of a group again and again, so that they do not stay
# stopped, until there is none. Every millisecond it kills one of the processes that the file
# names, one a line.
use strict;
use warnings;
use Time::HiRes 'time';

my ($group, $file) = @ARGV;
open my $pids, '<', $file or die;
my $next = time;
while (kill 'CONT', -$group) {
    next if time < $next;
    my $victim = <$pids> // last;
    kill 'KILL', $victim;
    $next = time + 0.001;
}

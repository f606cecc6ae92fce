#!/usr/bin/perl
# orphans.pl COUNT FIFO: when the FIFO is opened for writing, makes that many processes and leaves
# them behind; when the FIFO is closed, all of them end at once, and then this one.
use strict;
use warnings;

pipe my $end, my $held or die "pipe: $!";
open my $fifo, '<', $ARGV[1] or die "$ARGV[1]: $!";
my $maker = fork // die "fork: $!";
if (!$maker) {
    close $held;
    for (1 .. $ARGV[0]) {
        my $child;
        select undef, undef, undef, 0.01 until defined($child = fork);
        next if $child;
        sysread $end, my $nothing, 1;
        exit;
    }
    exit;
}
waitpid $maker, 0;
1 while sysread $fifo, my $nothing, 1;

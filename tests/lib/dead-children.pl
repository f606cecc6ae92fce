#!/usr/bin/perl
# dead-children.pl COMMAND...: becomes that command, with three children that have ended but were
# not reaped. Writes their pids to the file pids.
use strict;
use warnings;

my @dead;
for (1 .. 3) {
    my $pid = fork // die "fork: $!";
    exit if !$pid;
    push @dead, $pid;
}
for my $pid (@dead) {
    my $stat;
    do { open my $file, '<', "/proc/$pid/stat" or die; $stat = <$file> } until $stat =~ / Z /;
}
open my $file, '>', 'pids' or die;
print $file "@dead";
close $file;
exec @ARGV or die "$ARGV[0]: $!";

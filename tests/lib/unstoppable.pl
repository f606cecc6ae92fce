#!/usr/bin/perl
# A job that leaves 50 processes in a group of their own, and 1000 in another. The pid of the first
# group's leader is in the file left, and the pids of the second group are in the file pids. Processes
# that only fork are up much sooner than those that call exec.
use strict;
use warnings;
use POSIX 'setsid';

# Makes a group of that many processes, and calls the function with their pids.
sub make_group {
    my ($count, $made) = @_;
    return if fork // die "fork: $!";
    setsid;
    my @pids;
    for (1 .. $count) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            sleep 1000;
            exit;
        }
        push @pids, $pid;
    }
    $made->(@pids);
    sleep 1000;
    exit;
}

# The file appears when it is complete.
sub write_file {
    my ($name, @lines) = @_;
    open my $file, '>', "new.$name" or die "new.$name: $!";
    print $file "$_\n" for @lines;
    close $file or die "new.$name: $!";
    rename "new.$name", $name or die "$name: $!";
}

make_group(1000, sub { write_file('pids', @_) });
make_group(50, sub { write_file('left', $$) });
1 while wait > 0;

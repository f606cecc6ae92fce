#!/usr/bin/perl
# numbered.pl PID COMMAND...: runs a command as a child with that pid, in the pid namespace of this
# process, which must have the right to choose pids, clone3(2). Exits when the child has begun; with
# status 77 if it may not choose.
use strict;
use warnings;

my ($pid, @command) = @ARGV;
my $pids = pack 'i', $pid;
my $address = unpack 'J', pack 'P', $pids;
# flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size
my $arguments = pack 'Q10', 0, 0, 0, 0, 17, 0, 0, 0, $address, 1;
my $child = syscall 435, $arguments, length $arguments;
exit 77 if $child < 0;
exec @command or die "$command[0]: $!" if $child == 0;

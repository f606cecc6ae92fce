#!/usr/bin/perl
# hold-descriptors.pl PID: copies the descriptors of that process and keeps them open; creates the
# file held when it has them. Exits with 1 if it may not. The calls are pidfd_open(2) and
# pidfd_getfd(2).
use strict;
use warnings;
use POSIX ();

my $process = syscall 434, int $ARGV[0], 0;
$process >= 0 or exit 1;
my @copies = map { syscall 438, $process, $_, 0 } 3 .. 30;
grep { $_ >= 0 } @copies or exit 1;
open my $file, '>', 'held' or die;
POSIX::pause();

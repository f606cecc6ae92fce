#!/usr/bin/perl
# shut-reading.pl: a driver that has said HELLO becomes this. It shuts down the reading side of its
# socket and creates the file shut.
use strict;
use warnings;
use POSIX ();

open my $socket, '+<&=', 3 or die;
shutdown $socket, 0;
open my $file, '>', 'shut' or die;
POSIX::pause();

#!/usr/bin/perl
# shut-reading.pl: a driver, once it has said HELLO, that does not read any more; says so by the
# file shut.
use strict;
use warnings;

open my $socket, '+<&=', 3 or die;
shutdown $socket, 0;
open my $file, '>', 'shut' or die;
sleep 1000;

#!/usr/bin/perl
# queue-signals.pl PID: sends that process a realtime signal, which the kernel queues, again and
# again for 30 s.
use strict;
use warnings;

alarm 30;
kill 40, $ARGV[0] while 1;

#!/usr/bin/perl
# queue-signals.pl PID: sends it a signal that is queued, again and again, for 30 s.
use strict;
use warnings;

alarm 30;
kill 40, $ARGV[0] while 1;

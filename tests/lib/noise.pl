#!/usr/bin/perl
# noise.pl: prints a line of all bytes but newline, lines of bytes that JSON has to escape, 3000
# random lines, and some commands.
use strict;
use warnings;

srand 1;
binmode STDOUT;
print join('', map { chr } 0 .. 9, 11 .. 255), "\n";
print "\"\\\" \\\\\" {}\n", '"' x 300, "\n", "\\" x 300, "\n", "\xff" x 300, "\n";
for (1 .. 3000) { print map({ chr int rand 256 } 1 .. rand 100), "\n" }
print "get_status \"\nsend_task any \"\\\ncreate_driver \x01\"\n";

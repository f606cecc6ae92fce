#!/usr/bin/perl
# busy.pl: uses a tenth of a second of processor time and 50 MB of memory.
use strict;
use warnings;

my $large = 'x' x 5e7;
1 until (times)[0] > 0.1;

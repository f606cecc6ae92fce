#!/usr/bin/perl
# give.pl COUNT: prints the commands that give the jobs.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Plan;

print job($_)->{line}, "\n" for 1 .. $ARGV[0];

#!/usr/bin/perl
# lease.pl FILE: takes a lease on the file, fcntl(2), and prints "leased". Whoever opens the file,
# also for an exec, waits for us until we end, or for as long as the kernel lets us keep it
# (lease-break-time, 45 s). Exits with status 2 if there is no lease to be had.
use strict;
use warnings;
use Fcntl;

my ($F_SETLEASE, $F_WRLCK) = (1024, 1);
$SIG{IO} = 'IGNORE'; # somebody waits
$| = 1;
open my $file, '<', $ARGV[0] or die "$ARGV[0]: $!";
fcntl $file, $F_SETLEASE, $F_WRLCK or do { print "no lease: $!\n"; exit 2 };
print "leased\n";
alarm 1000; # in case nobody ends us
select undef, undef, undef, undef;

#!/usr/bin/perl
# hold-lock.pl FILE: makes the file, if there is none, and locks it, as a server does that starts.
# Holds the lock until it is killed. Prints a line once it has it.
use strict;
use warnings;
use Fcntl;

my ($file) = @ARGV;
sysopen my $handle, $file, O_RDWR | O_CREAT, 0600 or die "$file: $!";
my $lock = pack 's! s! x![l!] l! l! i x![l!]', F_WRLCK, 0, 0, 0, 0; # struct flock, fcntl(2)
fcntl $handle, F_SETLK, $lock or die "$file: $!";
$| = 1;
print "locked\n";
sleep;

#!/usr/bin/perl
# hold-lock.pl FILE [read]: makes the file, if there is none, and locks it, as a starting server
# does; with read, the file must be there, and is locked for reading. Holds the lock until it is
# killed. Prints a line once it has it.
use strict;
use warnings;
use Fcntl;

my ($file, $reads) = @ARGV;
sysopen my $handle, $file, $reads ? O_RDONLY : O_RDWR | O_CREAT, 0600 or die "$file: $!";
my $lock = pack 's! s! x![l!] l! l! i x![l!]', $reads ? F_RDLCK : F_WRLCK, 0, 0, 0, 0; # struct flock, fcntl(2)
fcntl $handle, F_SETLK, $lock or die "$file: $!";
$| = 1;
print "locked\n";
sleep;

#!/usr/bin/perl
# hinder-signals.pl [--ignore] COMMAND...: becomes that command with all signals blocked; with
# --ignore, some of them are ignored, too.
use strict;
use warnings;
use POSIX;

if ($ARGV[0] eq '--ignore') {
    shift;
    $SIG{$_} = 'IGNORE' for qw(HUP INT PIPE USR1 USR2 TSTP TTIN TTOU CHLD);
}
my $all = POSIX::SigSet->new;
$all->fillset;
POSIX::sigprocmask(SIG_SETMASK, $all);
exec @ARGV or die "$ARGV[0]: $!";

#!/usr/bin/perl
# warm.pl SOCKET COUNT: COUNT clients at once flood and do not read, until the server no longer
# reads from any of them. Then they go. After that, the server has allocated all that clients ever
# need.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/..";
use Commands;
use Connection;

my ($socket, $count) = @ARGV;
$SIG{PIPE} = 'IGNORE';
$SIG{ALRM} = sub { die "warm.pl: the server does not stop reading\n" };
alarm 60;
my @all = map { attach($socket) } 1 .. $count;
for my $i (0 .. $#all) {
    my $session = 'session farewell' . ($i % 4 ? '' : ' json') . "\n";
    $all[$i]{up} = $session . join '', map { (command(0, 1))[0] . "\n" } 1 .. 20000;
}
fill(sub { scalar grep { send_some($_) } @all }, $all[0]);

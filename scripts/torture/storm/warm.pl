#!/usr/bin/perl
# warm.pl SOCKET COUNT: that many clients at once flood and do not read, until the server reads no
# more from any of them; then they go. Now the server has allocated what it ever needs for clients.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/..";
use Commands;
use Connection;

my ($socket, $count) = @ARGV;
$SIG{PIPE} = 'IGNORE';
$SIG{ALRM} = sub { die "warm.pl: the server reads on\n" };
alarm 60;
my @all = map { attach($socket) } 1 .. $count;
for my $i (0 .. $#all) {
    my $session = 'session farewell' . ($i % 4 ? '' : ' json') . "\n";
    $all[$i]{up} = $session . join '', map { (command(0, 1))[0] . "\n" } 1 .. 20000;
}
fill(sub { scalar grep { send_some($_) } @all }, $all[0]);

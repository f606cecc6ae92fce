#!/usr/bin/perl
# exchange.pl SOCKET: connects, sends its standard input unchanged, shuts down that direction, and
# prints what comes back.
use strict;
use warnings;
use Socket;

socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect $socket, pack_sockaddr_un($ARGV[0]) or die "connect: $!";
$socket->autoflush;
local $/;
print {$socket} <STDIN>;
shutdown $socket, 1;
print <$socket>;

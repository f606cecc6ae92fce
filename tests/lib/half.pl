#!/usr/bin/perl
# half.pl SOCKET TEXT [shut]: connects and sends the text, without a newline; shuts down its sending
# side, if asked to. At the end of its own input it goes, without a word.
use strict;
use warnings;
use Socket;

my ($path, $text, $shut) = @ARGV;
socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect $socket, pack_sockaddr_un($path) or die "connect: $!";
syswrite $socket, $text;
shutdown $socket, 1 if $shut;
1 while <STDIN>;

#!/usr/bin/perl
# flood-client.pl SOCKET LINE: a client that sends that command without end and throws the replies
# away. One process writes, another reads; TERM ends both.
use strict;
use warnings;
use Socket;

socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect $socket, pack_sockaddr_un($ARGV[0]) or die "connect: $!";
my $writer = fork // die "fork: $!";
if (!$writer) {
    1 while syswrite $socket, "$ARGV[1]\n" x 5000;
    exit;
}
$SIG{TERM} = sub { kill 'KILL', $writer; exit };
1 while sysread $socket, my $replies, 65536;

#!/usr/bin/perl
# make-socket.pl PATH: a socket there that nobody listens to.
use strict;
use warnings;
use Socket;

socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind $socket, pack_sockaddr_un($ARGV[0]) or die "bind: $!";

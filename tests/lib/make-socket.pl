#!/usr/bin/perl
# make-socket.pl PATH: makes a socket at which nobody listens.
use strict;
use warnings;
use Socket;

socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind $socket, pack_sockaddr_un($ARGV[0]) or die "bind: $!";

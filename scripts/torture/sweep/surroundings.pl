#!/usr/bin/perl
# surroundings.pl SOCKET ADDRESS: leaves a socket at the path SOCKET, as a server that was killed
# does. Then acts as the service manager at the abstract address ADDRESS ($NOTIFY_SOCKET), and
# receives what servers send, until it is killed.
use strict;
use warnings;
use Socket;

my ($path, $address) = @ARGV;
socket my $dead, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
socket my $manager, AF_UNIX, SOCK_DGRAM, 0 or die "socket: $!";
bind $manager, pack_sockaddr_un("\0" . substr $address, 1) or die "$address: $!";
bind $dead, pack_sockaddr_un($path) or die "$path: $!";
1 while defined recv $manager, my $message, 4096, 0;

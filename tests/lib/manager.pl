#!/usr/bin/perl
# manager.pl SOCKET: a service manager's socket, as sd_notify(3) has it; @ for the first byte stands
# for a zero byte. Prints "bound", and then what is sent there.
use strict;
use warnings;
use Socket;
use IO::Handle;

$ARGV[0] =~ s/^@/\0/;
socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
bind $socket, pack_sockaddr_un($ARGV[0]) or die "bind: $!";
STDOUT->autoflush;
print "bound\n";
while (defined recv $socket, my $text, 4096, 0) { print "$text\n" }

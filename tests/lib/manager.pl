#!/usr/bin/perl
# manager.pl SOCKET: receives at a service manager's socket, see sd_notify(3); a leading @ stands
# for a zero byte. Prints "bound", then each message.
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

#!/usr/bin/perl
# deceive.pl PATH FILE: listens at PATH like a server, sends each client a reply that could deceive a
# terminal, and appends what the client sends to FILE. Writes an empty FILE once it listens.
use strict;
use warnings;
use Socket;

my ($path, $file) = @ARGV;
$SIG{PIPE} = 'IGNORE';
socket my $server, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
bind $server, pack_sockaddr_un($path) or die "bind: $!";
listen $server, 8 or die "listen: $!";
chmod 0666, $path or die "chmod: $!";
open my $heard, '>', $file or die "$file: $!";
while (accept my $client, $server) {
    syswrite $client, "\e[2JDriver 1 Available\n\6";
    while (sysread $client, my $said, 4096) {
        syswrite $heard, $said;
    }
    syswrite $heard, "end\n";
}

#!/usr/bin/perl
# fake-server.pl PATH FILE: listens at PATH, and answers each client, when its input has ended, with what
# is in FILE then, and the farewell that says that this was all.
use strict;
use warnings;
use Socket;

my ($path, $file) = @ARGV;
socket my $server, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
bind $server, pack_sockaddr_un("$path.new") or die "bind: $!";
listen $server, 8 or die "listen: $!";
rename "$path.new", $path or die "rename: $!"; # who sees it can connect
while (accept my $client, $server) {
    while (sysread $client, my $said, 4096) { }
    open my $reply, '<', $file or die "$file: $!";
    syswrite $client, join('', <$reply>) . "\4";
}

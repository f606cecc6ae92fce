#!/usr/bin/perl
# broken-input.pl TEXT SERVER OPTION...: runs the server with a socket as standard input. Sends it
# the text, without a newline, and breaks the connection: the server's next read fails with
# ECONNRESET, because something that was sent to us is unread. Exits with the server's status.
use strict;
use warnings;
use Socket;
use POSIX;

my ($text, @server) = @ARGV;
socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, 0) or die "socketpair: $!";
syswrite $its, 'unread';
syswrite $ours, $text;
close $ours;
POSIX::dup2(fileno $its, 0);
exec @server;
die "$server[0]: $!";

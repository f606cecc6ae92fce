#!/usr/bin/perl
# writer.pl SOCKET COUNT LINE TEXT: connects and sends the text; then it writes the line COUNT times
# without reading, and a plain write to a connection that has been closed kills it. After that it
# prints what comes, to the end. COUNT "endless": it reads and writes at the same time, and goes on
# writing until it has read the end. Exits with 1 if the end is an error.
use strict;
use warnings;
use Socket;

my ($path, $count, $line, $text) = @ARGV;
socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect $socket, pack_sockaddr_un($path) or die "connect: $!";
$| = 1;

sub put {
    my ($data) = @_;
    while ($data ne '') {
        my $n = syswrite $socket, $data or die "cannot write: $!\n";
        substr($data, 0, $n) = '';
    }
}

# Prints what comes. Returns false at the end.
sub take {
    my $n = sysread $socket, my $data, 65536;
    die "cannot read: $!\n" if !defined $n;
    print $data;
    return $n > 0;
}

put($text);
if ($count eq 'endless') {
    $SIG{PIPE} = 'IGNORE';
    my ($in, $out, $writes) = ('', '', 1);
    vec($in, fileno $socket, 1) = 1;
    while (1) {
        select my $readable = $in, my $writable = $writes ? $in : undef, undef, undef;
        last if vec($readable, fileno $socket, 1) && !take();
        next if !$writes || !vec($writable, fileno $socket, 1);
        $writes = defined send($socket, "$line\n" x 100, MSG_DONTWAIT) || $!{EAGAIN};
    }
} else {
    put("$line\n" x $count);
    1 while take();
}

#!/usr/bin/perl
# Clients for the tests of tests/examples/echo.c, where bash's /dev/tcp is not enough; see each sub.
use strict;
use warnings;
use IO::Handle;
use Socket qw(:DEFAULT :addrinfo IPPROTO_TCP TCP_MAXSEG);

alarm 60; # so that a server that does not answer fails the test instead of hanging it
$SIG{PIPE} = 'IGNORE';

# attached TYPE HOST PORT [small => 1]: returns a connected socket. A small one takes little at a
# time and makes the other side buffer little, so that an echo cannot be sent in one piece.
sub attached {
    my ($type, $host, $port, %options) = @_;
    my ($error, $address) = getaddrinfo($host, $port, {socktype => $type, flags => AI_NUMERICHOST});
    die "$host: $error\n" if $error;
    socket my $socket, $address->{family}, $type, 0 or die "socket: $!\n";
    if ($options{small}) {
        setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 4096 or die "SO_RCVBUF: $!\n";
        setsockopt $socket, IPPROTO_TCP, TCP_MAXSEG, 536 or die "TCP_MAXSEG: $!\n";
    }
    connect $socket, $address->{addr} or die "connect: $!\n";
    return $socket;
}

# exchange HOST PORT: sends standard input, shuts down that direction, and prints what comes back
# until the server closes. A child sends, so that neither direction waits for the other.
sub exchange {
    my $socket = attached(SOCK_STREAM, @_, small => 1);
    defined(my $pid = fork) or die "fork: $!\n";
    if (!$pid) {
        my $data;
        while (sysread STDIN, $data, 65536) {
            my $sent = 0;
            $sent += syswrite($socket, $data, length($data) - $sent, $sent) // exit 1
                while $sent < length $data;
        }
        shutdown $socket, SHUT_WR;
        exit;
    }
    my $read;
    while ($read = sysread $socket, my $data, 65536) {
        print $data;
    }
    defined $read or die "read: $!\n";
    waitpid $pid, 0;
    exit($? != 0);
}

# datagrams HOST PORT SIZE...: sends datagrams of these sizes, one after the other, and prints for
# each whether it came back unchanged.
sub datagrams {
    my ($host, $port, @sizes) = @_;
    my $socket = attached(SOCK_DGRAM, $host, $port);
    for my $size (@sizes) {
        my $sent = substr 'datagram ' x (1 + $size / 9), 0, $size;
        defined send $socket, $sent, 0 or die "send: $!\n";
        defined recv $socket, my $data, 65536, 0 or die "recv: $!\n";
        print "$size: ", $data eq $sent ? "same\n" : "different\n";
    }
}

# vanish HOST PORT COUNT: that many clients, one after the other, send and then reset the
# connection.
sub vanish {
    my ($host, $port, $count) = @_;
    for (1 .. $count) {
        my $socket = attached(SOCK_STREAM, $host, $port);
        $socket->blocking(0);
        syswrite $socket, 'x' x 100_000;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) or die "setsockopt: $!\n";
        close $socket;
    }
}

# late HOST PORT SIZE: sends that many bytes, 5000 at a time, and says when all have arrived. After
# a USR1, prints what comes back until the other side closes.
sub late {
    my ($host, $port, $size) = @_;
    my $socket = attached(SOCK_STREAM, $host, $port, small => 1);
    my $told = 0;
    local $SIG{USR1} = sub { $told = 1 };
    for (my $sent = 0; $sent < $size; $sent += 5000) {
        syswrite $socket, 'bytes' x 1000;
        my $left = pack 'i', -1;
        while (unpack 'i', $left) {
            select undef, undef, undef, 0.001;
            ioctl $socket, 0x5411, $left or die "SIOCOUTQ: $!\n"; # bytes not acknowledged, tcp(7)
        }
    }
    print STDERR "sent\n";
    select undef, undef, undef, 0.01 until $told;
    while (sysread $socket, my $data, 65536) {
        print $data;
    }
}

# deaf HOST PORT: a client that sends without end and never reads.
sub deaf {
    my $socket = attached(SOCK_STREAM, @_, small => 1);
    alarm 0; # it runs until it is killed
    1 while syswrite $socket, 'x' x 65536;
}

# owns HOST: succeeds if this machine has that address.
sub owns {
    my $hints = {socktype => SOCK_STREAM, flags => AI_NUMERICHOST};
    my ($error, $address) = getaddrinfo($_[0], 0, $hints);
    exit 1 if $error;
    socket my $socket, $address->{family}, SOCK_STREAM, 0 or exit 1;
    bind $socket, $address->{addr} or exit 1;
}

my %subs = (
    exchange  => \&exchange,
    datagrams => \&datagrams,
    vanish    => \&vanish,
    late      => \&late,
    deaf      => \&deaf,
    owns      => \&owns,
);
my $sub = $subs{shift // ''} or die "usage: net.pl WHAT HOST PORT...; see each sub\n";
$sub->(@ARGV);

#!/usr/bin/perl
# refused-input.pl SERVER: runs the server with a UDP socket as standard input, and has it create a
# driver. While the server is stopped, makes its next read fail, and then kills the driver. Exits
# with the server's status.
use strict;
use warnings;
use Socket;

sub udp {
    socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    bind $socket, pack_sockaddr_in(0, INADDR_LOOPBACK) or die "bind: $!";
    return $socket;
}

sub slurp {
    open my $file, '<', shift or return '';
    local $/;
    return scalar <$file>;
}

# Waits until that file matches.
sub await {
    my ($path, $pattern) = @_;
    select undef, undef, undef, 0.01 until slurp($path) =~ $pattern;
}

my $pid;
$SIG{ALRM} = sub { kill 'KILL', $pid; die "waited in vain\n" };
my ($input, $peer) = (udp(), udp());
connect $input, getsockname $peer or die "connect: $!";
connect $peer, getsockname $input or die "connect: $!";
pipe my $replies, my $output or die "pipe: $!";
$pid = fork // die "fork: $!";
if (!$pid) {
    open STDIN, '<&', $input or die;
    open STDOUT, '>&', $output or die;
    exec $ARGV[0] or die "$ARGV[0]: $!";
}
alarm 60;
close $output;
syswrite $peer, "create_driver\n";
my ($driver) = <$replies> =~ /^Driver (\d+) Available/ or die 'no driver';
await("/proc/$pid/fdinfo/3", qr/^tfd: +0 /m);    # its epoll set contains standard input
await("/proc/$pid/stat", qr/\) S /);
kill 'STOP', $pid;
await("/proc/$pid/stat", qr/\) T /);
close $peer;
syswrite $input, 'x';    # is refused, which the next read of the socket reports
kill 'KILL', $driver;
await("/proc/$driver/stat", qr/\) Z /);
kill 'CONT', $pid;
print <$replies>;
waitpid $pid, 0;
exit($? >> 8);

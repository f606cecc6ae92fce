#!/usr/bin/perl
# only-family.pl 4|6 COMMAND...: becomes that command where the loopback has an address of that
# family only. Needs a network namespace of its own: unshare -rn perl only-family.pl ...
use strict;
use warnings;
use Socket;

use constant {SIOCSIFFLAGS => 0x8914, SIOCSIFADDR => 0x8916, IFF_UP => 1};

my $family = shift;
socket my $socket, AF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
if ($family == 4) {
    my $switch = '/proc/sys/net/ipv6/conf/all/disable_ipv6'; # missing if there is no IPv6 at all
    if (-e $switch) {
        open my $file, '>', $switch or die "$switch: $!\n";
        print $file "1\n";
        close $file or die "$switch: $!\n";
    }
}
# The call takes a struct ifreq: a name, and flags or an address; see netdevice(7).
sub interface {
    my ($call, $value) = @_;
    my $request = pack 'a16 a24', 'lo', $value;
    ioctl $socket, $call, $request or die "lo: $!\n";
}
interface(SIOCSIFFLAGS, pack 's', IFF_UP);
interface(SIOCSIFADDR, pack_sockaddr_in(0, INADDR_ANY)) if $family == 6; # removes 127.0.0.1
exec @ARGV or die "exec: $!\n";

# Functions that the clients in this directory share: connections to a control socket, and the state
# of the server.
package Connection;
use strict;
use warnings;
use Exporter 'import';
use IO::Handle;
use Socket;
use Time::HiRes qw(sleep);

our @EXPORT = qw(attach send_some wait_for fill server_pid queued_us);

use constant PEERCRED => 17; # SO_PEERCRED, which not every perl defines

# attach PATH: returns a nonblocking connection: s, its socket; up, the data still to be sent; down,
# the data received and not yet parsed.
sub attach {
    my ($path) = @_;
    socket my $s, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!\n";
    connect $s, pack_sockaddr_un($path) or die "connect: $!\n";
    $s->blocking(0);
    return {s => $s, up => '', down => ''};
}

# Sends as much of up as possible without waiting. Returns whether that was anything.
sub send_some {
    my ($c) = @_;
    my $sent = 0;
    while ($c->{up} ne '') {
        my $n = syswrite $c->{s}, $c->{up} or last;
        substr $c->{up}, 0, $n, '';
        $sent = 1;
    }
    return $sent;
}

# wait_for CONNECTION, WRITES: waits until data has come or, if WRITES is true, until data can be
# sent.
sub wait_for {
    my ($c, $writes) = @_;
    vec(my $in = '', fileno $c->{s}, 1) = 1;
    my $out = $writes ? $in : '';
    select $in, $out, undef, undef;
}

# fill SEND, CONNECTION: calls SEND, which returns whether the server took anything, until the
# server takes no more and sleeps. (One that takes nothing but does not sleep may only be waiting
# for a processor.)
sub fill {
    my ($send, $c) = @_;
    my $slept = '';
    for (my $still = 0; $still < 20; sleep 0.01) {
        my $took = $send->();
        my $sleeps = look_at_server($c);
        $still = !$took && $sleeps ne '' && $sleeps eq $slept ? $still + 1 : 0;
        $slept = $sleeps;
    }
}

# Returns '' if the server at the other end is not asleep, else a text that changes whenever it
# runs.
sub look_at_server {
    my ($c) = @_;
    my $pid = server_pid($c);
    open my $status, '<', "/proc/$pid/status" or die "server $pid: $!\n";
    my $text = join '', grep { /^State:|ctxt_switches:/ } <$status>;
    return $text =~ /^State:\s*S/ ? $text : '';
}

sub server_pid {
    my ($c) = @_;
    return unpack 'l', getsockopt $c->{s}, SOL_SOCKET, PEERCRED;
}

# queued_us PID...: returns the time, in microseconds, that these processes were ready to run but
# had to wait for a processor. We subtract it from measured times, so that other programs on a
# loaded machine do not count against the server.
sub queued_us {
    my $sum_ns = 0;
    for my $pid (@_) {
        open my $file, '<', "/proc/$pid/schedstat" or next;
        $sum_ns += (split ' ', <$file>)[1];
    }
    return $sum_ns / 1000;
}

1;

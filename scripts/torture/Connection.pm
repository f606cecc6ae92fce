# What the clients in this directory share: connections to a control socket, and looks at the
# server.
package Connection;
use strict;
use warnings;
use Exporter 'import';
use IO::Handle;
use Socket;
use Time::HiRes qw(sleep);

our @EXPORT = qw(attach send_some wait_for fill server_pid queued_us);

use constant PEERCRED => 17; # SO_PEERCRED, which not every perl names

# attach PATH: a nonblocking connection: s, its socket; up, what is still to be sent; down, what has
# come and was not looked at.
sub attach {
    my ($path) = @_;
    socket my $s, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!\n";
    connect $s, pack_sockaddr_un($path) or die "connect: $!\n";
    $s->blocking(0);
    return {s => $s, up => '', down => ''};
}

# Sends what can be sent now. Returns whether that was anything.
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

# Waits until something has come or, if it writes, until something can be sent.
sub wait_for {
    my ($c, $writes) = @_;
    vec(my $in = '', fileno $c->{s}, 1) = 1;
    my $out = $writes ? $in : '';
    select $in, $out, undef, undef;
}

# fill SEND, CONNECTION: calls SEND, which returns whether the server took anything, until the
# server takes no more: until it has slept for a while, too. (On a loaded machine it may just not
# have come to it.)
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

# If the server at the other end sleeps, returns a text that changes when it has run; else ''.
sub look_at_server {
    my ($c) = @_;
    my $pid = server_pid($c);
    open my $status, '<', "/proc/$pid/status" or die "server $pid: $!\n";
    my $text = join '', grep { /^State:|ctxt_switches:/ } <$status>;
    return $text =~ /^State:\s*S/ ? $text : '';
}

# The pid of the server at the other end.
sub server_pid {
    my ($c) = @_;
    return unpack 'l', getsockopt $c->{s}, SOL_SOCKET, PEERCRED;
}

# The time, in microseconds, that these processes have been ready to run but had to wait for a
# processor. What others do to a loaded machine shows here; what the server does shows elsewhere.
sub queued_us {
    my $sum_ns = 0;
    for my $pid (@_) {
        open my $file, '<', "/proc/$pid/schedstat" or next;
        $sum_ns += (split ' ', <$file>)[1];
    }
    return $sum_ns / 1000;
}

1;

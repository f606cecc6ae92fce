#!/usr/bin/perl
# Clients at the control socket, "socket":
#
#   clients.pl crowd PID CLIENTS COUNT    many flood and do not read, until the server takes no more; then they read
#   clients.pl chatter COUNT              they flood without end, and read
#   clients.pl asks PID COUNT             one asks, again and again; prints how long it waits
#   clients.pl halves COUNT [stay]        they say half a line, and go or stay
use strict;
use warnings;
use Errno;
use FindBin;
use lib "$FindBin::Bin/..";
use Connection;
use Socket;
use Time::HiRes qw(sleep time);

$| = 1;

# A connection; said and heard count its commands and its replies.
sub begin {
    return {%{attach('socket')}, said => 0, heard => 0};
}

# Gives the client more of its numbered commands, up to COUNT, every other one of which asks that
# driver. Returns whether any was taken.
sub push_up {
    my ($c, $pid, $count) = @_;
    if ($c->{up} eq '' && $c->{said} < $count) {
        my $last = $c->{said} + 500 < $count ? $c->{said} + 500 : $count;
        $c->{up} = join '', map { sprintf "%-63s\n", $_ % 2 ? "get_status $pid" : "x$_" } $c->{said} + 1 .. $last;
        $c->{said} = $last;
    }
    return send_some($c);
}

# Takes what has come, and checks it. Returns whether there is still somebody to say more.
sub take_down {
    my ($c, $pid) = @_;
    my $n = sysread $c->{s}, $c->{down}, 65536, length $c->{down};
    return $!{EAGAIN} if !defined $n;
    while ($c->{down} =~ /\G([^\n]*)\n/gc) {
        my ($line, $i) = ($1, ++$c->{heard});
        my $due = $i % 2 ? "Driver $pid Available" : "Error: unknown command 'x$i' (try help)";
        die "to $i came $line\n" if $line ne $due;
    }
    substr $c->{down}, 0, pos $c->{down} // 0, '';
    return $n > 0;
}

# Says "held" when the server takes no more; waits for a line in the FIFO go; then each client in
# turn reads its replies, which are checked. Says "done".
sub crowd {
    my ($pid, $clients, $count) = @_;
    my @clients = map { begin() } 1 .. $clients;
    fill(sub { scalar grep { push_up($_, $pid, $count) } @clients }, $clients[0]);
    print "held\n";
    open my $go, '<', 'go' or die "go: $!";
    readline $go;
    for my $c (@clients) {
        while ($c->{heard} < $count) {
            push_up($c, $pid, $count);
            wait_for($c, $c->{heard} + 500 > $count ? 0 : $c->{up} ne '');
            take_down($c, $pid) or die "the end after $c->{heard} of $count replies\n";
        }
        shutdown $c->{s}, 1;
        wait_for($c);
        take_down($c, $pid) || $c->{heard} > $count and die "more than $count replies\n";
    }
    print "done\n";
}

# They give commands faster than the server takes them, and check their replies, until the server
# stops. Says "floods" when all have begun.
sub chatter {
    my ($count) = @_;
    my ($block, $reply) = ("x\n" x 32768, "Error: unknown command 'x' (try help)\n");
    my ($due, $size) = ($reply x 4000, length $reply);
    my %clients = map { fileno $_->{s} => $_ } map { begin() } 1 .. $count;
    my $begun = $count;
    $SIG{PIPE} = 'IGNORE';
    while (%clients) {
        my $all = '';
        vec($all, $_, 1) = 1 for keys %clients;
        select my $in = $all, my $out = $all, undef, undef;
        for my $fd (keys %clients) {
            my $c = $clients{$fd};
            $c->{up} = $block if $c->{up} eq '';
            substr $c->{up}, 0, syswrite($c->{s}, $c->{up}) // 0, '' if vec $out, $fd, 1;
            next if !vec $in, $fd, 1;
            my $n = sysread $c->{s}, my $came, 65536;
            delete $clients{$fd}, next if !$n;
            print "floods\n" if !$c->{heard} && --$begun == 0;
            my $at = $c->{heard} % $size;
            $c->{heard} += $n;
            next if $c->{stops} || $came eq substr $due, $at, $n;
            $came = substr($reply, 0, $at) . $came;
            $came =~ s/^(\Q$reply\E)+//;
            $c->{stops} = index("Error: server is stopping\n" x 4000, $came) == 0
                or die 'there came ', substr($came, 0, 80), "\n";
        }
    }
}

# Asks when it has the reply to the last question. Prints the microseconds within which it has 99 in
# 100 replies, without those in which the processes that take part waited for a processor.
sub asks {
    my ($pid, $count) = @_;
    my ($c, @waits) = begin();
    my @parties = (server_pid($c), $pid, $$);
    for my $i (1 .. $count) {
        my ($queued, $start) = (queued_us(@parties), time);
        $c->{up} = $i % 2 ? "get_status $pid\n" : "x$i\n";
        send_some($c);
        while ($c->{heard} < $i) {
            wait_for($c);
            take_down($c, $pid) or die "the end\n";
        }
        push @waits, int((time - $start) * 1e6 - (queued_us(@parties) - $queued));
    }
    print "$_\n" for (sort { $a <=> $b } @waits)[$count * 0.99 - 1];
}

# A third of them say a whole line before the half. Some go at once, the others when all are there;
# or all stay. Says "done".
sub halves {
    my ($count, $stays) = @_;
    my @clients;
    for my $i (1 .. $count) {
        my $c = begin();
        syswrite $c->{s}, ($i % 3 ? '' : "help\n") . "get_stat";
        push @clients, $c if $stays || $i % 2;
    }
    @clients = () if !$stays;
    print "done\n";
    sleep 1000 if $stays;
}

my %subs = (crowd => \&crowd, chatter => \&chatter, asks => \&asks, halves => \&halves);
my $sub = $subs{shift // ''} // die "usage: see the beginning of $0\n";
$sub->(@ARGV);

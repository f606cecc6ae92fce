#!/usr/bin/perl
# Clients at the control socket "socket":
#
#   clients.pl crowd PID CLIENTS COUNT    CLIENTS flood with COUNT commands each, and do not read until
#                                         the server reads no more
#   clients.pl chatter COUNT              COUNT clients flood without end, and read
#   clients.pl asks PID COUNT             one asks COUNT times; prints how long it waits for a reply
#   clients.pl halves COUNT [stay]        COUNT clients send half a line, and go or stay
#   clients.pl dying PID COUNT LINES SERVER
#                                         COUNT clients flood with LINES lines or more, and die in the
#                                         middle of one
use strict;
use warnings;
use Errno;
use FindBin;
use lib "$FindBin::Bin/..";
use Connection;
use POSIX ();
use Socket;
use Time::HiRes qw(sleep time);

$| = 1;

# Connects a client; said and heard count its commands and its replies.
sub begin {
    return {%{attach('socket')}, said => 0, heard => 0};
}

# Sends more of the client's COUNT numbered commands; every other one asks the driver PID. Returns
# whether the server took anything.
sub push_up {
    my ($c, $pid, $count) = @_;
    if ($c->{up} eq '' && $c->{said} < $count) {
        my $last = $c->{said} + 500 < $count ? $c->{said} + 500 : $count;
        $c->{up} = join '', map { sprintf "%-63s\n", $_ % 2 ? "get_status $pid" : "x$_" } $c->{said} + 1 .. $last;
        $c->{said} = $last;
    }
    return send_some($c);
}

# Receives replies, and checks them. Returns false at the end of the connection.
sub take_down {
    my ($c, $pid) = @_;
    my $n = sysread $c->{s}, $c->{down}, 65536, length $c->{down};
    return $!{EAGAIN} if !defined $n;
    while ($c->{down} =~ /\G([^\n]*)\n/gc) {
        my ($line, $i) = ($1, ++$c->{heard});
        my $due = $i % 2 ? qr/Driver $pid (Available|Busy \d+)/ : qr/Error: unknown command 'x$i' \(try help\)/;
        die "wrong reply to command $i: $line\n" if $line !~ /^$due\z/;
    }
    substr $c->{down}, 0, pos $c->{down} // 0, '';
    return $n > 0;
}

# Prints "held" when the server takes no more, and waits for a line in the FIFO "go". Then each
# client in turn sends the rest of its commands, and reads and checks its replies. Prints "done".
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
            take_down($c, $pid) or die "closed after $c->{heard} of $count replies\n";
        }
        shutdown $c->{s}, 1;
        wait_for($c);
        take_down($c, $pid) || $c->{heard} > $count and die "more than $count replies\n";
    }
    print "done\n";
}

# The clients send commands faster than the server takes them, and check their replies, until the
# server stops. Prints "floods" when each has had a reply.
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
                or die 'wrong reply: ', substr($came, 0, 80), "\n";
        }
    }
}

# Sends each question after the reply to the one before. Prints the number of microseconds within
# which 99 in 100 replies came, less the time in which server, driver and client waited for a
# processor.
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
            take_down($c, $pid) or die "closed after $c->{heard} of $count replies\n";
        }
        push @waits, int((time - $start) * 1e6 - (queued_us(@parties) - $queued));
    }
    print "$_\n" for (sort { $a <=> $b } @waits)[$count * 0.99 - 1];
}

# A third of the clients send a whole line before the half one. Every other client goes at once, the
# rest after the last one has come; with stay, all of them stay. Prints "done".
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

# Returns COUNT lines of client I, and half of one more. Every fifth line is a job that
# writes a line to the file "ran"; the others ask the driver PID. The first job and the half one need
# not wait for a driver. Of half a job, what can be run writes a line without "end"; half a question is
# an Error.
sub lines_of {
    my ($i, $pid, $count) = @_;
    my @jobs = map { "run any 50 >>ran echo $i-$_ " . 'x' x 250 . " end\n" } 1 .. $count / 5 + 1;
    s/run any/submit/ for @jobs[0, -1];
    my $half = substr pop @jobs, 0, 30 + rand 200;
    return join('', map { ("get_status $pid\n" x 4, $_) } @jobs) . $half;
}

# Sends the lines in blocks that each end in the middle of a line. A socket takes such a block whole
# or not at all, so that the client dies in the middle of a line, whenever it dies. Returns how many
# whole lines were sent.
sub send_blocks {
    my ($c) = @_;
    my $lines = 0;
    while ($c->{up} ne '') {
        my $block = substr $c->{up}, 0, 3000;
        chop $block if $block =~ /\n\z/;
        my $n = syswrite $c->{s}, $block or last;
        substr $c->{up}, 0, $n, '';
        $lines += $block =~ tr/\n//;
    }
    return $lines;
}

# Starts a process that runs the code. Returns its pid.
sub process {
    my ($code) = @_;
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    $code->();
    POSIX::_exit(1);
}

# A third of the clients are processes that send more than the server takes. A third are processes
# SERVER --connect, which have half a line in their pipe. Both are killed. The rest are connections,
# which are closed. None reads. Prints "floods" when all have sent something. After a line in the FIFO
# "go" they die, and it prints "done" and how many lines were sent over those connections.
sub dying {
    my ($pid, $count, $lines, $server) = @_;
    my ($third, $sent, @killed, @pipes, @closed) = (int $count / 3, 0);
    pipe my $all, my $ready or die "pipe: $!\n";
    for my $i (1 .. $third) { # first, because these hold open what we have open
        push @killed, process(sub {
            my $c = {%{attach('socket')}, up => lines_of($i, $pid, 3 * $lines)};
            send_blocks($c);
            syswrite $ready, '.';
            $c->{s}->blocking(1);
            send_blocks($c);
            sleep 1000;
        });
    }
    for my $i ($third + 1 .. 2 * $third) {
        pipe my $in, my $to or die "pipe: $!\n";
        push @killed, process(sub {
            open STDIN, '<&', $in;
            open STDOUT, '>', '/dev/null';
            exec $server, '--connect', 'socket';
        });
        $to->blocking(0);
        syswrite $to, lines_of($i, $pid, $lines);
        push @pipes, $to;
    }
    for my $i (2 * $third + 1 .. $count) {
        push @closed, {%{attach('socket')}, up => lines_of($i, $pid, $lines)};
        $sent += send_blocks($closed[-1]);
    }
    sysread $all, my $one, 1 for 1 .. $third;
    print "floods\n";
    open my $go, '<', 'go' or die "go: $!\n";
    readline $go;
    while (@killed || @closed) {
        shift @closed;
        kill 'KILL', splice @killed, rand @killed, 1 if @killed;
    }
    while (wait > 0) { }
    print "done $sent\n";
}

my %subs = (crowd => \&crowd, chatter => \&chatter, asks => \&asks, halves => \&halves, dying => \&dying);
my $sub = $subs{shift // ''} // die "clients.pl: bad arguments (see its first lines)\n";
$sub->(@ARGV);

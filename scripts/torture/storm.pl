#!/usr/bin/perl
# A client of scripts/torture/storm.sh, or rather one after another, at a control socket:
#
#   perl scripts/torture/storm.pl SERVER SOCKET SEED STOP      until there is a file STOP
#   perl scripts/torture/storm.pl SERVER SOCKET warm COUNT     so many at once that flood and do not read
#   perl scripts/torture/storm.pl SERVER SOCKET gone COUNT BUSY STOPPED
#                              so many that would have to wait for the one driver or the other, and go
#
# They ask and are answered, which is checked: as many replies as commands, each in its turn. Or they
# vanish: without reading, in the middle of a line, after half closing, killed. Some are processes
# (SERVER --connect SOCKET), some speak JSON. At the end it prints how many replies were checked and
# how many clients have vanished.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use IO::Handle;
use Socket;

my ($server, $socket, $seed, $stop) = @ARGV;
my $patience = 30;      # seconds for a reply; a driver is left stopped for less
my @pids = (1);         # of drivers, as last listed
my ($answered, $vanished) = (0, 0);
my @lasting;            # connections that are spoken to again later
$SIG{PIPE} = 'IGNORE';
my $awaited = '';
$SIG{ALRM} = sub { die "storm.pl: nothing in $patience s: $awaited\n" };

sub chance { int rand $_[0] }

sub moment { select undef, undef, undef, rand $_[0] }

# What the last line of a reply looks like, and the lines before it, if it is a list.
my %about;

sub reply_about {
    my ($pid, $json) = @_;
    return $about{"$pid $json"} //= $json
        ? qr/^\{"(driver":|error":"(no )?driver )$pid\b.*\}$/
        : qr/^(Driver|Error: (no )?driver) $pid( |$)/;
}

# A command at random, perhaps one that is answered at once: what is sent, what its last line looks like,
# and other lines, if it has any.
sub command {
    my ($json, $at_once) = @_;
    my $pid = $pids[rand @pids];
    my $kind = $at_once ? (0, 0, 0, 11, 22)[rand 5] : chance(23);
    return ("get_status $pid", reply_about($pid, $json)) if $kind < 8;
    return ("cancel_task $pid", reply_about($pid, $json)) if $kind < 9;
    return ("wait $pid", reply_about($pid, $json)) if $kind < 10;
    return ('wait', $json ? qr/^\{"count":\d+\}$/ : qr/^\d+ drivers?$/) if $kind < 11;
    return ('stats', $json ? qr/^\{"uptime":.*\}$/ : qr/^Stats uptime=/) if $kind < 12;
    return ('get_drivers', $json ? qr/^\{"count":(\d+)\}$/ : qr/^(\d+) drivers?$/,
            $json ? qr/^\{"driver":(\d+),"state":"[a-z]+".*\}$/ : qr/^Driver (\d+) [A-Z]/) if $kind < 14;
    my $task = sprintf 'send_task any 0.%03d', 1 + chance(80);
    return ($task, $json ? qr/^\{"(driver":\d+,"state":"busy"|error":"(no driver"|driver \d+ )).*\}$/
                         : qr/^(Driver \d+ Busy 1$|Error: no driver$|Error: driver \d+ )/) if $kind < 17;
    return run_command($json) if $kind < 20;
    my $nonsense = 'nonsense' . chance(1e6);
    return ($nonsense, $json ? qr/^\{"error":"unknown command '$nonsense' / : qr/^Error: unknown command '$nonsense' /);
}

# A command to run, by a driver that may be stopped, killed or told to exit meanwhile. What it leaves
# behind has a name by which storm.sh knows it.
sub run_command {
    my ($json) = @_;
    my $status = chance(100);
    my $sleep = "sleep 50.$ENV{STORM}";
    my $code = ("exit $status", "sleep 0.01; exit $status", "setsid $sleep & $sleep & exit $status",
                "trap '' TERM; $sleep & $sleep; exit $status", "(setsid $sleep &); exit $status")[rand 5];
    return ("run any 0.1 $code",
            $json ? qr/^\{"(driver":\d+,"(exit":$status|timeout":true|cancelled":true),|error":"(no driver"|driver \d+ )).*\}$/
                  : qr/^(Driver \d+ Done (exit $status|timeout|cancelled)$|Error: no driver$|Error: driver \d+ )/);
}

# ---- a connection: what is yet to be sent, what has come, and what is to come

sub attach {
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "storm.pl: socket: $!\n";
    connect $s, pack_sockaddr_un($socket) or die "storm.pl: connect: $!\n";
    $s->blocking(0);
    my $json = chance(4) == 0;
    return {s => $s, json => $json, up => 'session farewell' . ($json ? ' json' : '') . "\n",
            down => '', owed => [], listed => []};
}

sub ask {
    my ($c, $count, $at_once) = @_;
    for (1 .. $count) {
        my ($line, @reply) = command($c->{json}, $at_once);
        $c->{up} .= "$line\n";
        push @{$c->{owed}}, [$line, @reply];
    }
}

# Takes a line of a reply.
sub heard {
    my ($c, $line) = @_;
    my ($command, $last, $other) = @{$c->{owed}[0] // die "storm.pl: '$line' was not asked for\n"};
    if (defined $other && $line =~ $other) {
        push @{$c->{listed}}, $1;
        return;
    }
    $line =~ $last or die "storm.pl: to '$command' came '$line'\n";
    if (defined $other) {
        $1 == @{$c->{listed}} or die "storm.pl: '$line' closes a list of @{$c->{listed}}\n";
        @pids = @{$c->{listed}} if $1 > 0;
        $c->{listed} = [];
    }
    shift @{$c->{owed}};
    $answered++;
}

# Sends and receives until nothing is owed, or, if it is ended, until the server has ended it, too.
sub pump {
    my ($c, $ended) = @_;
    alarm $patience;
    while ($ended || @{$c->{owed}}) {
        $awaited = @{$c->{owed}} . ' replies' . (@{$c->{owed}} ? ", to $c->{owed}[0][0]" : '');
        my ($in, $out) = ('', '');
        push_up($c);
        shutdown $c->{s}, 1 if $ended && $c->{up} eq '' && !$c->{half}++;
        vec($in, fileno $c->{s}, 1) = 1;
        vec($out, fileno $c->{s}, 1) = 1 if $c->{up} ne '';
        select $in, $out, undef, undef;
        my $n = sysread $c->{s}, $c->{down}, 65536, length $c->{down};
        last if defined $n && $n == 0;
        defined $n || $!{EAGAIN} || $!{EINTR} or die "storm.pl: receive: $!\n";
        alarm $patience if $n;
        heard($c, $1) while $c->{down} =~ s/^([^\n]*)\n//;
    }
    alarm 0;
    return unless $ended;
    !@{$c->{owed}} or die "storm.pl: the end, and no reply to '$c->{owed}[0][0]'\n";
    $c->{down} eq "\4" or die "storm.pl: no farewell, but '$c->{down}'\n";
}

# Sends what can be sent now. Returns whether that was all.
sub push_up {
    my ($c) = @_;
    while ($c->{up} ne '') {
        my $n = syswrite $c->{s}, $c->{up} or last;
        substr $c->{up}, 0, $n, '';
    }
    return $c->{up} eq '';
}

# ---- what they do

# Comes, asks, is answered, goes.
sub visit {
    my $c = attach();
    ask($c, 1 + chance(60));
    pump($c, 1);
}

# Asks where it has asked before; some day it goes.
sub stay {
    my $slot = chance(3);
    my $c = $lasting[$slot] //= attach();
    my $goes = chance(10) == 0;
    ask($c, 1 + chance(20));
    pump($c, $goes);
    $lasting[$slot] = undef if $goes;
}

# Floods and does not read; then it does, or vanishes.
sub flood {
    my $c = attach();
    ask($c, 5000 + chance(20000), 1);
    push_up($c);
    moment(0.05);
    return $vanished++ if chance(2);
    pump($c, 1);
}

# Is gone in the middle of it: of a line, of a wait, of a conversation; perhaps after half closing.
sub vanish {
    my $c = attach();
    ask($c, chance(20));
    $c->{up} .= ('', 'wa', "wait\n", "send_task any 0.05\n", "wait $pids[0]\n", 'x' x 5000)[rand 6];
    push_up($c);
    shutdown $c->{s}, 1 if chance(2);
    moment(0.02) if chance(2);
    sysread $c->{s}, my $some, 100 if chance(2);
    $vanished++;
}

# One command, in a process of its own.
sub words {
    my @json = chance(3) ? () : ('--json');
    my ($line, $last, $other) = command(scalar @json);
    $awaited = $line;
    alarm $patience;
    open my $from, '-|', $server, @json, '--connect', $socket, split / /, $line or die "storm.pl: $!\n";
    my @lines = <$from>;
    close $from;
    alarm 0;
    my $error = grep /^(Error: |\{"error":)/, @lines;
    $? == ($error ? 256 : 0) or die "storm.pl: '$line' has status $?: @lines\n";
    my $c = {owed => [[$line, $last, $other]], listed => []};
    chomp, heard($c, $_) for @lines;
    !@{$c->{owed}} or die "storm.pl: no reply to '$line'\n";
}

# A process that is killed, or sees its input end, whose replies nobody reads.
sub process {
    pipe my $in, my $to or die;
    my $pid = fork // die;
    if ($pid == 0) {
        open STDIN, '<&', $in;
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        close $to;
        exec $server, '--connect', $socket or exit 1;
    }
    close $in;
    syswrite $to, (command(0))[0] . "\n" for 1 .. chance(50);
    moment(0.01) if chance(2);
    my $signal = (undef, 'KILL', 'TERM')[rand 3];
    $signal ? kill $signal, $pid : close $to;
    $awaited = "a process to end after " . ($signal // 'the end of its input');
    alarm $patience;
    waitpid $pid, 0;
    alarm 0;
    $vanished++;
}

if ($seed eq 'warm') {
    my @all = map { attach() } 1 .. $stop;
    for my $round (1 .. 3) {
        for my $c (@all) {
            ask($c, 20000, 1) if $round == 1;
            push_up($c);
        }
        moment(0.5);
    }
    exit;
}
if ($seed eq 'gone') {
    my ($busy, $stopped) = @ARGV[4, 5];
    # One who stays fills the socket and the queue of the stopped one: all who have more than one question
    # for it are held back.
    my ($stays, $asks) = (attach(), attach());
    $stays->{up} = "get_status $stopped\n" x 200000;
    for (my ($still, $left) = (0, 0); $still < 20; select undef, undef, undef, 0.01) {
        push_up($stays);
        sysread $stays->{s}, my $replies, 1 << 20;
        $still = $left == length $stays->{up} ? $still + 1 : 0;
        $left = length $stays->{up};
    }
    length $stays->{up} or die "storm.pl: a stopped driver takes all\n";
    my @waits = ("wait\n", "wait $busy\n", "send_task any 1\n", "get_status $stopped\n" x 20000);
    for my $i (0 .. $stop - 1) {
        my $c = attach();
        $c->{up} =~ s/ json//;
        $c->{up} .= "nonsense\n" . $waits[$i % @waits] . "nonsense\n";
        push_up($c);
        next if $i / @waits % 2; # gone at once
        $awaited = 'the reply to what is before it';
        alarm $patience;
        vec(my $in = '', fileno $c->{s}, 1) = 1;
        select $in, undef, undef, undef;
        alarm 0;
        shutdown $c->{s}, 1 if $i / @waits % 4;
    }
    my $end = time + 10;
    until ($asks->{down} =~ /\bclients"?[=:]3\b.*\n\z/) {
        time < $end or die "storm.pl: clients that are gone wait, or are held back: $asks->{down}\n";
        $asks->{down} = '';
        syswrite $asks->{s}, "stats\n";
        moment(0.1);
        sysread $asks->{s}, $asks->{down}, 65536;
    }
    exit;
}
srand $seed;
my @deeds = (\&visit, \&visit, \&stay, \&stay, \&flood, \&vanish, \&vanish, \&vanish, \&words, \&process);
until (-e $stop) {
    $deeds[rand @deeds]->();
    moment(0.01);
}
pump($_, 1) for grep { defined } @lasting;
print "$answered $vanished\n";

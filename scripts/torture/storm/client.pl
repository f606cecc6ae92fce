#!/usr/bin/perl
# Clients of the storm, one after another, at the control socket SOCKET, until the file STOP exists:
#
#   STORM=ID RAN=FILE client.pl SERVER SOCKET SEED STOP BOOK
#
# Some clients ask and check the replies: each command must have one, in the right order. That holds
# for a last line without a newline, too. Others vanish: without reading, in the middle of a line,
# after shutting down one direction, or killed. Some are processes (SERVER --connect SOCKET), some use
# JSON. At the end, prints how many replies were checked, how many clients have vanished, and how many
# of these in the middle of a line that must not be run. BOOK gets a line for each reply to a job: the
# job's name, and the reply.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/..";
use Commands;
use Connection;

my ($server, $socket, $seed, $stop, $book) = @ARGV;
my $patience = 60; # seconds for a reply; a driver stays stopped for less
my ($answered, $vanished, $halves) = (0, 0, 0);
my @lasting;       # connections that stay() uses again
my $awaited = '';
my $replies;       # the file BOOK

sub main {
    $SIG{PIPE} = 'IGNORE';
    $SIG{$_} = 'DEFAULT' for qw(INT HUP); # the shell ignores INT in the background, nohup HUP
    $SIG{ALRM} = sub { die "client.pl: nothing in $patience s: $awaited\n" };
    srand $seed;
    open $replies, '>', $book or die "client.pl: $book: $!\n";
    my @deeds = (\&visit, \&visit, \&stay, \&stay, \&flood, \&vanish, \&vanish, \&die_in_line,
                 \&die_in_line, \&words, \&process);
    until (-e $stop) {
        $deeds[rand @deeds]->();
        moment(0.01);
    }
    pump($_, 1) for grep { defined } @lasting;
    print "$answered $vanished $halves\n";
}

sub moment { select undef, undef, undef, rand $_[0] }

# ---- a conversation

# Connects; owed has the commands without a reply, listed the drivers in the list that is being
# read.
sub begin {
    my $json = chance(4) == 0;
    my $session = 'session farewell' . ($json ? ' json' : '') . "\n";
    return {%{attach($socket)}, json => $json, up => $session, owed => [], listed => []};
}

sub ask {
    my ($c, $count, $at_once) = @_;
    for (1 .. $count) {
        my ($line, @reply) = command($c->{json}, $at_once);
        $c->{up} .= "$line\n";
        push @{$c->{owed}}, [$line, @reply];
    }
}

# Checks a line of a reply.
sub heard {
    my ($c, $line) = @_;
    my ($command, $last, $other) = @{$c->{owed}[0] // die "client.pl: nobody asked for '$line'\n"};
    if (defined $other && $line =~ $other) {
        push @{$c->{listed}}, $1;
        return;
    }
    $line =~ $last or die "client.pl: wrong reply to '$command': '$line'\n";
    if (defined $other) {
        $1 == @{$c->{listed}} or die "client.pl: '$line' ends the list @{$c->{listed}}\n";
        @Commands::pids = @{$c->{listed}} if $1 > 0;
        $c->{listed} = [];
    }
    my $name = job_name($command);
    print $replies "$name $line\n" if defined $name;
    shift @{$c->{owed}};
    $answered++;
}

# Sends and receives until no reply is owed and, if $ends is true, the server has closed the
# connection.
sub pump {
    my ($c, $ends) = @_;
    alarm $patience;
    while ($ends || @{$c->{owed}}) {
        $awaited = @{$c->{owed}} . ' replies' . (@{$c->{owed}} ? ", to $c->{owed}[0][0]" : '');
        send_some($c);
        shutdown $c->{s}, 1 if $ends && $c->{up} eq '' && !$c->{half}++;
        wait_for($c, $c->{up} ne '');
        my $n = sysread $c->{s}, $c->{down}, 65536, length $c->{down};
        last if defined $n && $n == 0;
        defined $n || $!{EAGAIN} || $!{EINTR} or die "client.pl: receive: $!\n";
        alarm $patience if $n;
        heard($c, $1) while $c->{down} =~ s/^([^\n]*)\n//;
    }
    alarm 0;
    return unless $ends;
    !@{$c->{owed}} or die "client.pl: closed without a reply to '$c->{owed}[0][0]'\n";
    $c->{down} eq "\4" or die "client.pl: no farewell, but '$c->{down}'\n";
}

# ---- what the clients do

# Connects, asks, reads all replies, and goes. The last line counts without its newline.
sub visit {
    my $c = begin();
    ask($c, 1 + chance(60));
    chop $c->{up} if chance(2);
    pump($c, 1);
}

# Asks over a connection that was used before; sometimes closes it then.
sub stay {
    my $slot = chance(3);
    my $c = $lasting[$slot] //= begin();
    my $goes = chance(10) == 0;
    ask($c, 1 + chance(20));
    pump($c, $goes);
    $lasting[$slot] = undef if $goes;
}

# Floods without reading; then reads, or vanishes.
sub flood {
    my $c = begin();
    ask($c, 5000 + chance(20000), 1);
    send_some($c);
    moment(0.05);
    return $vanished++ if chance(2);
    pump($c, 1);
}

# Goes in the middle of a line, a wait or a conversation, sometimes after shutting down one
# direction.
sub vanish {
    my $c = begin();
    ask($c, chance(20));
    $c->{up} .= ('', 'wa', "wait\n", "send_task any 0.05\n", "wait $Commands::pids[0]\n", 'x' x 5000)[rand 6];
    send_some($c);
    shutdown $c->{s}, 1 if chance(2);
    moment(0.02) if chance(2);
    sysread $c->{s}, my $some, 100 if chance(2);
    $vanished++;
}

# Goes in the middle of a line, which may wait for earlier ones. After shutting down the sending side
# alone, it still listens for a moment, so that the line may count; after the receiving side, it does
# not listen.
sub die_in_line {
    my $c = begin();
    ask($c, chance(5));
    my $how = chance(4);
    $c->{up} .= ('', "wait\n", "wait $Commands::pids[0]\n")[rand 3] . half_line($how == 0);
    shutdown $c->{s}, 0 if $how == 1;
    send_some($c);
    shutdown $c->{s}, 1 if $how < 2;
    moment(0.02) if chance(2);
    sysread $c->{s}, my $some, 100 if chance(2);
    $halves++ if $how > 0;
    $vanished++;
}

# Sends one command from a process of its own, which gets it as its arguments. A job is one of them,
# so that it is a line for the shell.
sub words {
    my @json = chance(3) ? () : ('--json');
    my ($line, $last, $other) = command(scalar @json);
    $awaited = $line;
    alarm $patience;
    my @words = split / /, $line, defined job_name($line) ? 4 : 0;
    open my $from, '-|', $server, @json, '--connect', $socket, @words or die "client.pl: $!\n";
    my @lines = <$from>;
    close $from;
    alarm 0;
    my $status = status_of($line, @lines);
    $? == $status << 8 or die "client.pl: '$line' ended with wait status $?, not status $status: @lines\n";
    my $c = {owed => [[$line, $last, $other]], listed => []};
    chomp, heard($c, $_) for @lines;
    !@{$c->{owed}} or die "client.pl: no reply to '$line'\n";
}

# Returns the exit status of a client process that got these lines as the reply to its only command.
sub status_of {
    my ($command, @lines) = @_;
    my $error = grep { /^(Error: |\{"error":)/ } @lines;
    return $error ? 1 : 0 unless defined job_name($command);
    return $1 if $lines[0] =~ /^(?:Job \d+ Done exit |\{"job":\d+,"driver":\d+,"exit":)(\d+)/;
    return $lines[0] =~ /^(Job \d+ Done timeout$|\{"job":\d+,"driver":\d+,"timeout")/ ? 124 : 125;
}

# Sends commands from a process of its own, and half of one. The process is killed or told to end, and
# then whoever writes to it dies, as at a Ctrl+C; or only the writer dies, so that the half line is its
# last. Nobody reads the replies.
sub process {
    my $signal = (undef, 'KILL', 'TERM', 'INT', 'HUP')[rand 5];
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
    syswrite $to, half_line(!$signal);
    moment(0.01) if chance(2);
    kill $signal, $pid if $signal;
    close $to;
    $awaited = "a process to end after " . ($signal // 'the end of its input');
    alarm $patience;
    waitpid $pid, 0;
    alarm 0;
    $halves++ if $signal;
    $vanished++;
}

main();

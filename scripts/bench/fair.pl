#!/usr/bin/perl
# fair.pl FLOODS SECONDS: starts ./server at a control socket, with two drivers. One client asks one
# of them again and again. If FLOODS is 1, another client asks the other driver as fast as the
# server takes its commands, and reads the replies. Prints how long the first client waits for an
# answer, in ms: the median, the time within which 99 in 100 come, and the longest.
use strict;
use warnings;
use Socket;
use IO::Handle;
use File::Temp 'tempdir';
use Time::HiRes 'time';

@ARGV == 2 or die "usage: fair.pl FLOODS SECONDS\n";
my ($floods, $seconds) = @ARGV;
my $path = tempdir(CLEANUP => 1) . '/socket';
$SIG{PIPE} = 'IGNORE';
alarm $seconds + 30;

# Starts the server, and waits until it is ready.
sub start_server {
    pipe my $ready, my $tell or die;
    my $pid = fork // die;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        fcntl $tell, 2, 0; # F_SETFD: stays open in the server
        exec './server', '--drivers', 2, '--listen', $path, '--ready-fd', fileno $tell or die;
    }
    close $tell;
    defined <$ready> or die 'the server did not start';
    return $pid;
}

sub attach {
    socket my $socket, AF_UNIX, SOCK_STREAM, 0 or die;
    connect $socket, pack_sockaddr_un($path) or die "connect: $!";
    $socket->autoflush;
    return $socket;
}

# Starts a process that writes and one that reads; both end when the server does.
sub start_flood {
    my ($line) = @_;
    my $socket = attach();
    my $replies;
    my @pids = (fork // die);
    if (!$pids[0]) { 1 while sysread $socket, $replies, 65536; exit }
    push @pids, fork // die;
    if (!$pids[1]) { 1 while syswrite $socket, $line x 5000; exit }
    return @pids;
}

my $server = start_server();
my $client = attach();
print $client "get_drivers\n";
my @drivers = map { (<$client> =~ /(\d+)/)[0] } 1 .. 2;
<$client>;
my @flooding = $floods ? start_flood("get_status $drivers[0]\n") : ();
my @times;
for (my $end = time + $seconds; time < $end;) {
    my $begin = time;
    print $client "get_status $drivers[1]\n";
    <$client> eq "Driver $drivers[1] Available\n" or die 'wrong answer';
    push @times, (time - $begin) * 1e3;
}
print $client "shutdown\n";
waitpid $_, 0 for $server, @flooding;
@times = sort { $a <=> $b } @times;
printf "%.3f %.3f %.3f\n", @times[@times / 2, @times * 0.99, -1];

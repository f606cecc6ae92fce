#!/usr/bin/perl
# socket-session.pl ask|quit|flood SERVER: runs the server with one socket as standard input and
# output. ask: asks it something and ends the input. quit: tells it to quit, but sends more than the
# server reads, and then reads to the end of the replies. flood: sends questions and reads no answers until it
# takes no more, then ends it by TERM. Exits with the server's status.
use strict;
use warnings;
use Socket;
use Fcntl;
use POSIX;

my ($what, $server) = @ARGV;
socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, 0) or die "socketpair: $!";
my $pid = fork // die "fork: $!";
if (!$pid) {
    POSIX::dup2(fileno $its, 0);
    POSIX::dup2(fileno $its, 1);
    exec $server, '-g', '0.2';
    die "$server: $!";
}
alarm 120;

sub state_of {
    open my $file, '<', "/proc/$pid/status" or return '';
    return join '', grep /^State|ctxt_switches/, <$file>;
}

if ($what eq 'ask') {
    syswrite $ours, "get_drivers\nfly";
    shutdown $ours, 1;
    print scalar <$ours>;    # after this reply, the server has set up its streams
} elsif ($what eq 'quit') {
    syswrite $ours, "get_drivers\nquit\n" . "get_drivers\n" x 6000;
} else {
    fcntl $ours, F_SETFL, O_NONBLOCK;
    my $before = '';
    while (1) {
        next if syswrite $ours, "help\n" x 1000;
        # The loop ends when the server sleeps and an attempt to send more has not woken it.
        my $now = state_of();
        last if $now eq $before && $now =~ /^State:\s+S/;
        $before = $now;
        select undef, undef, undef, 0.01;
    }
}
fcntl($its, F_GETFL, 0) & O_NONBLOCK and die "it is nonblocking\n";
close $its;
kill 'TERM', $pid if $what eq 'flood';
if ($what eq 'ask') { print while <$ours> }
if ($what eq 'quit') {
    while (sysread($ours, my $data, 4096) // die "no end: $!\n") { print $data }
}
waitpid($pid, 0) == $pid or die;
exit($? >> 8);

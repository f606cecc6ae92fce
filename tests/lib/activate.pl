#!/usr/bin/perl
# activate.pl [OPTION]... PATH COMMAND...: gives the command a socket as a service manager does, see
# sd_listen_fds(3): makes one that listens at PATH, as descriptor 3, and becomes the command. Options:
#
#   --pid PID     is LISTEN_PID, instead of the command's own
#   --fds N       is LISTEN_FDS, instead of 1
#   --kind KIND   the socket is bound (does not listen), dgram, seqpacket or tcp; or it is a file
#   --nonblock    the socket does not block
#   --backlog N   up to N clients can wait to be accepted, instead of 8
#   --again       does not become the command but runs it whenever a client has come and it does not
#                 run; prints its status, and whether the socket is blocking, when it has ended;
#                 on a USR1 it makes the socket blocking, and says so
use strict;
use warnings;
use Fcntl;
use Getopt::Long qw(:config require_order);
use IO::Handle;
use POSIX ();
use Socket;

GetOptions(\my %option, 'pid=s', 'fds=s', 'kind=s', 'nonblock', 'backlog=i', 'again') or exit 2;
my ($path, @command) = @ARGV;
my $kind = $option{kind} // 'stream';
my $socket;
if ($kind eq 'file') {
    open $socket, '>', $path or die "$path: $!";
} elsif ($kind eq 'tcp') {
    socket $socket, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
    bind $socket, pack_sockaddr_in(0, INADDR_LOOPBACK) or die "bind: $!";
} else {
    my %type = (dgram => SOCK_DGRAM, seqpacket => SOCK_SEQPACKET);
    socket $socket, AF_UNIX, $type{$kind} // SOCK_STREAM, 0 or die "socket: $!";
    bind $socket, pack_sockaddr_un("$path.new") or die "bind: $!";
}
$kind !~ /stream|seqpacket|tcp/ or listen $socket, $option{backlog} // 8 or die "listen: $!";
$socket->blocking(!$option{nonblock}) if $kind ne 'file';
rename "$path.new", $path if -S "$path.new"; # who sees it can connect

sub become {
    $ENV{LISTEN_PID} = $option{pid} // $$;
    $ENV{LISTEN_FDS} = $option{fds} // 1;
    $ENV{LISTEN_FDNAMES} = 'taxi.socket';
    fileno $socket == 3 or POSIX::dup2(fileno $socket, 3) // die "dup2: $!";
    $^F = 3; # close-on-exec is for descriptors above this one
    fcntl $socket, F_SETFD, 0 if fileno $socket == 3;
    exec @command or die "$command[0]: $!";
}

become() unless $option{again};
STDOUT->autoflush;
$SIG{USR1} = sub { $socket->blocking(1); print "blocking\n" };
my $ready = '';
vec($ready, fileno $socket, 1) = 1;
while (select(my $clients = $ready, undef, undef, undef) > 0) {
    defined(my $pid = fork) or die "fork: $!";
    become() unless $pid;
    until (waitpid($pid, 0) == $pid) { }
    print 'status ', $? >> 8, (fcntl($socket, F_GETFL, 0) & O_NONBLOCK ? '' : ', blocking'), "\n";
}

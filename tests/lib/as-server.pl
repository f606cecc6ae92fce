#!/usr/bin/perl
# as-server.pl DRIVER: starts that driver and plays the server at the other end of its socket. It
# sends lines of standard input as frames, and prints the frames that come as lines; see proto.h. It
# has its own encoder and decoder, so that it cannot share a mistake with the programs.
#
#     task ID MS [EXPIRES_NS]                    hello ID PID
#     status ID                                  state ID WORK REFUSAL REMAINING_MS
#     cancel ID TASK_ID                          end ID OUTCOME
#     run ID LIMIT GRACE EXPIRES OUTPUT TEXT     begun ID PID
#     job ID LIMIT GRACE LINGER EXPIRES NUMBER SLOT OUTPUT TEXT
#                                                result ID OUTCOME STATUS CAUSE LEFT
#     exit                                       gone STATUS: the socket and the driver have ended
#     frame VERSION TYPE LENGTH ID HEX           other TYPE ID
#     slowly LINE: the frame of that line, byte by byte
#     flood: asks until neither direction takes any more      asked COUNT
#
# EXPIRES may be -, for never. run is a job with the number ID, slot 1 and no time to linger
# (0). In TEXT, \0 is a zero byte, and {x*9} is nine times x. HEX is the body in hexadecimal digits.
# The end of the input means that the server is gone: as-server.pl closes the socket, waits for the
# driver and exits with its status.
use strict;
use warnings;
use Socket;
use POSIX;

$^F = 9;    # so that exec does not close the socket
socketpair(my $socket, my $its, AF_UNIX, SOCK_STREAM, 0) or die "socketpair: $!";
my $driver = fork // die "fork: $!";
if (!$driver) {
    close $socket;
    dup2(fileno $its, 3);
    exec $ARGV[0];
    die "$ARGV[0]: $!";
}
close $its;
$SIG{PIPE} = 'IGNORE';
STDOUT->autoflush;

sub packed { my ($type, $id, $body) = (@_, ''); pack 'CCSLa*', 3, $type, length $body, $id, $body }
sub never { my ($ns) = @_; !defined $ns || $ns eq '-' ? ~0 : $ns }

sub text {
    my ($text) = @_;
    $text =~ s/\{(.)\*(\d+)\}/$1 x $2/eg;
    $text =~ s/\\0/\0/g;
    return $text;
}

sub run_frame {
    my ($id, $limit, $grace, $linger, $expires, $number, $slot, $output, $text) = @_;
    my $body = pack 'QQQQQLL', $limit, $grace, $linger, never($expires), $number, $slot, $output;
    return packed(5, $id, $body . text($text));
}

sub frame_of {
    my ($word, $rest) = split / /, $_[0], 2;
    my @words = split / /, $rest // '';
    return packed(1, $words[0], pack 'QQ', $words[1], never($words[2])) if $word eq 'task';
    return packed(2, $words[0]) if $word eq 'status';
    return packed(3, $words[0], pack 'L', $words[1]) if $word eq 'cancel';
    return packed(4, 0) if $word eq 'exit';
    return pack 'CCSLa*', @words[0 .. 3], pack 'H*', $words[4] // '' if $word eq 'frame';
    if ($word eq 'run') {
        my ($id, $limit, $grace, $expires, $output, $text) = split / /, $rest, 6;
        return run_frame($id, $limit, $grace, 0, $expires, $id, 1, $output, $text);
    }
    return run_frame(split / /, $rest, 9) if $word eq 'job';
    die "what? $_[0]\n";
}

sub state_of {
    open my $file, '<', "/proc/$driver/status" or return '';
    return join '', grep /^State|ctxt_switches/, <$file>;
}

# Asks until the driver sleeps and an attempt to send more neither succeeds nor wakes it.
sub flood {
    my ($asked, $before) = (0, '');
    while (1) {
        my $sent = send $socket, packed(2, $asked + 1), MSG_DONTWAIT;
        if ($sent) { $asked++; next }
        last if !$!{EAGAIN};
        my $now = state_of();
        last if $now eq $before && $now =~ /^State:\s+S/;
        $before = $now;
        select undef, undef, undef, 0.01;
    }
    print "asked $asked\n";
}

sub obey {
    my ($line) = @_;
    return flood() if $line eq 'flood';
    return syswrite $socket, frame_of($line) if $line !~ s/^slowly //;
    syswrite $socket, $_ for split //, frame_of($line);
}

my $heard = '';

# Prints the frames that have arrived completely.
sub say_heard {
    while (length $heard >= 8) {
        my (undef, $type, $length, $id) = unpack 'CCSL', $heard;
        last if length $heard < 8 + $length;
        my $body = substr $heard, 8, $length;
        $heard = substr $heard, 8 + $length;
        my %said = (
            65 => sub { 'hello ' . join ' ', $id, unpack 'L', $body },
            66 => sub { 'state ' . join ' ', $id, unpack 'CCx6Q', $body },
            67 => sub { 'end ' . join ' ', $id, unpack 'L', $body },
            68 => sub { 'result ' . join ' ', $id, unpack 'LLLL', $body },
            69 => sub { 'begun ' . join ' ', $id, unpack 'L', $body },
        );
        print(($said{$type} // sub { "other $type $id" })->(), "\n");
    }
}

sub finish { waitpid $driver, 0; return $? >> 8 }

my $said = '';
while (1) {
    vec(my $ready = '', fileno $socket, 1) = 1;
    vec($ready, fileno STDIN, 1) = 1;
    next if select($ready, undef, undef, undef) < 0;
    if (vec $ready, fileno $socket, 1) {
        if (!sysread $socket, $heard, 65536, length $heard) {
            my $status = finish();
            print "gone $status\n";
            exit $status;
        }
        say_heard();
    } elsif (!sysread STDIN, $said, 65536, length $said) {
        close $socket;
        exit finish();
    }
    obey($1) while $said =~ s/^(.*)\n//;
}

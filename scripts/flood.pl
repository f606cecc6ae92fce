#!/usr/bin/perl
# What flood.sh needs that a shell is too slow for, or cannot: see each sub below.
use strict;
use warnings;
use Socket;

# numbered COUNT [PID]: commands whose replies have a number each. With PID every other one asks that
# driver instead. They are padded, so that few fill a pipe.
sub numbered {
    my ($count, $pid) = @_;
    for (my $i = 1; $i <= $count; $i++) {
        printf "%-63s\n", $pid && $i % 2 ? "get_status $pid" : "x$i" or exit;
    }
}

# replied PID COUNT [stopped]: reads the replies to create_driver and to numbered commands, and prints
# what is wrong with them. A server that was stopped may have said so to the last ones that it took.
sub replied {
    my ($pid, $count, $stopped) = @_;
    my $stopping = 0;
    my $line = <STDIN> // 'nothing';
    return print "first came $line" if $line !~ /^Driver $pid Available\r?\n\z/;
    for my $i (1 .. $count) {
        $line = <STDIN>;
        return $stopped || print "no reply to $i of $count" if !defined $line;
        next if $line =~ /^Error: unknown command 'x$i' \(try help\)\r?\n\z/ && !$stopping;
        next if $line =~ /^(Driver $pid Available|Error: driver $pid is not responding)\r?\n\z/ && $i % 2;
        $stopping ||= $stopped && $line eq "Error: server is stopping\n";
        next if $stopping && $line =~ /^Error: (server is stopping|unknown command 'x$i' \(try help\))\n\z/;
        return print "to $i of $count came $line";
    }
    print "more than $count replies" if defined <STDIN>;
}

# bytes MEGABYTES: the same each time, a pool of random ones laid over itself at random offsets, and a
# newline. What the replies have to be is worked out here, and their sum put into the file expected.
sub bytes {
    my ($megabytes) = @_;
    my ($size, $rest) = (1 << 20, '');
    my @shown = map { chr =~ /[ -~]/ ? chr : sprintf '\x%02x', $_ } 0 .. 255;
    srand 1;
    my $pool = pack 'L*', map { int rand 4294967296 } 1 .. $size / 2;
    open my $expected, '|-', 'exec cksum >expected' or die "cksum: $!";
    for my $i (1 .. $megabytes) {
        my $block = substr($pool, rand $size, $size) ^ substr($pool, rand $size, $size);
        $block .= "\n" if $i == $megabytes;
        print $block or exit;
        $rest .= $block;
        while ($rest =~ /\G([^\n]*)\n/gc) {
            my $line = $1;
            if (length $line >= 4096) {
                print $expected "Error: line too long (limit 4096 bytes)\n";
            } elsif ($line =~ s/\r\z//r =~ /^[ \t]*([^ \t#][^ \t]{0,63})/) {
                my $word = join '', @shown[unpack 'C*', $1];
                print $expected "Error: unknown command '$word' (try help)\n";
            }
        }
        substr $rest, 0, pos $rest // 0, '';
    }
    close $expected or die 'cksum';
}

# one_line MEGABYTES: of them no newline, and one command behind it.
sub one_line {
    my ($megabytes) = @_;
    my $block = 'x' x (1 << 20);
    print $block or exit for 1 .. $megabytes;
    print "\nx1\n";
}

# carry COMMAND...: runs it with a socket as its output, which is carried to the FIFO out once that has
# a reader, and closed when that goes away. Ends with its status.
sub carry {
    my ($data, $out, $pid);
    my $leave = sub { waitpid $pid, 0; exit($? & 127 ? 128 + $? : $? >> 8) };
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!";
    $SIG{CHLD} = $leave;
    $SIG{PIPE} = 'IGNORE';
    defined($pid = fork) or die "fork: $!";
    if (!$pid) {
        open STDOUT, '>&', $far or die "dup: $!";
        exec @_ or die "exec: $!";
    }
    close $far;
    1 until open $out, '>', 'out';
    $SIG{CHLD} = 'DEFAULT';
    1 while sysread($near, $data, 65536) && syswrite $out, $data;
    close $near;
    close $out;
    $leave->();
}

# driver REAL DEED WAITING: for --driver. Where it is started first it becomes the real one. The second,
# once told to by a line in the FIFO go, does the deed. All signals are blocked in it, but for KILL.
my $server; # its socket, which is nonblocking

sub frame {
    my ($type, $id, $body) = @_;
    return pack 'CCSLa*', 1, $type, length $body, $id, $body;
}

sub say_all {
    my ($data) = @_;
    my $said = 0;
    while ($said < length $data) {
        my $size = syswrite $server, $data, length($data) - $said, $said;
        if (defined $size) {
            $said += $size;
        } else {
            vec(my $set = '', fileno $server, 1) = 1;
            select undef, $set, undef, undef;
        }
    }
}

# To as many requests as there were, and then to more.
sub answers {
    my ($waiting) = @_;
    return join '', map { frame(66, $_, "\0" x 16) } 1 .. $waiting + 1000;
}

my %deeds = (
    answers => sub { say_all(answers(@_)) while 1 },
    bytes => sub { say_all($_) for split //, answers(@_) },
    garbage => sub { say_all('garbage' x 1000) while 1 },
    ends => sub { say_all(frame(67, 0, pack 'L', 1) x 1000) while 1 },
    closes => sub { close $server },
);

sub driver {
    my ($real, $deed, $waiting) = @_;
    if (mkdir 'first') {
        exec {$real} $real or die "exec: $!";
    }
    open $server, '+<&=', 3 or die "socket: $!";
    say_all(frame(65, 0, pack 'L', $$));
    open my $go, '<', 'go' or die "go: $!";
    readline $go;
    $deeds{$deed}->($waiting);
    sleep 1000;
}

my %subs = (numbered => \&numbered, replied => \&replied, bytes => \&bytes, one_line => \&one_line,
    carry => \&carry, driver => \&driver);
my $sub = shift // '';
die "usage: see $0\n" if !$subs{$sub};
$subs{$sub}->(@ARGV);

#!/usr/bin/perl
# What flood.sh needs that a shell is too slow for, or cannot: see each sub below.
use strict;
use warnings;
use Errno qw(EAGAIN);
use IO::Handle;
use Socket;
use Time::HiRes qw(sleep time);

$| = 1;

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

# ---- clients at the control socket, "socket"

sub attach {
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
    connect $s, pack_sockaddr_un('socket') or die "connect: $!";
    $s->blocking(0);
    return {s => $s, up => '', said => 0, down => '', heard => 0};
}

# Gives the client more of its numbered commands, up to so many, of which every other one asks that
# driver. Returns whether any was taken.
sub push_up {
    my ($c, $pid, $count) = @_;
    while ($c->{up} eq '' && $c->{said} < $count) {
        my $last = $c->{said} + 500 < $count ? $c->{said} + 500 : $count;
        $c->{up} = join '', map { sprintf "%-63s\n", $_ % 2 ? "get_status $pid" : "x$_" } $c->{said} + 1 .. $last;
        $c->{said} = $last;
    }
    my $n = syswrite $c->{s}, $c->{up} or return 0;
    substr $c->{up}, 0, $n, '';
    return 1;
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

sub wait_for {
    my ($c, $writes) = @_;
    vec(my $in = '', fileno $c->{s}, 1) = 1;
    my $out = $writes ? $in : '';
    select $in, $out, undef, undef;
}

# crowd PID CLIENTS COUNT: so many give so many commands each, and do not read, until nothing more is taken.
# Says "held", waits for a line in the FIFO go, and then each in turn reads its replies, which are checked.
# Says "done".
sub crowd {
    my ($pid, $clients, $count) = @_;
    my @clients = map { attach() } 1 .. $clients;
    for (my $still = 0; $still < 50; sleep 0.01) {
        $still = (grep { push_up($_, $pid, $count) } @clients) ? 0 : $still + 1;
    }
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

# chatter COUNT: so many clients give commands without end, faster than the server takes them, and read
# their replies, which are checked, until the server stops. Says "floods" when they do so.
sub chatter {
    my ($count) = @_;
    my ($block, $reply) = ("x\n" x 32768, "Error: unknown command 'x' (try help)\n");
    my ($due, $size) = ($reply x 4000, length $reply);
    my %clients = map { fileno $_->{s} => $_ } map { attach() } 1 .. $count;
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

# asks PID COUNT: one asks, so often, each time when it has the reply to the last. Prints the microseconds
# within which it has 99 in 100: on a loaded machine one may wait for the processor.
sub asks {
    my ($pid, $count) = @_;
    my ($c, @waits) = attach();
    for my $i (1 .. $count) {
        my $start = time;
        $c->{up} = $i % 2 ? "get_status $pid\n" : "x$i\n";
        push_up($c, $pid, 0);
        while ($c->{heard} < $i) {
            wait_for($c);
            take_down($c, $pid) or die "the end\n";
        }
        push @waits, int((time - $start) * 1e6);
    }
    print "$_\n" for (sort { $a <=> $b } @waits)[$count * 0.99 - 1];
}

# halves COUNT [stay]: so many connect, and each says half a line, some of them a whole one before it. Some
# go at once, the others when all are there; or all stay. Says "done".
sub halves {
    my ($count, $stays) = @_;
    my @clients;
    for my $i (1 .. $count) {
        my $c = attach();
        syswrite $c->{s}, ($i % 3 ? '' : "help\n") . "get_stat";
        push @clients, $c if $stays || $i % 2;
    }
    @clients = () if !$stays;
    print "done\n";
    sleep 1000 if $stays;
}

my %subs = (crowd => \&crowd, chatter => \&chatter, asks => \&asks, halves => \&halves,
    numbered => \&numbered, replied => \&replied, bytes => \&bytes, one_line => \&one_line,
    carry => \&carry, driver => \&driver);
my $sub = shift // '';
die "usage: see $0\n" if !$subs{$sub};
$subs{$sub}->(@ARGV);

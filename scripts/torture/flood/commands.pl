#!/usr/bin/perl
# What a flood says at standard input, and what its replies must be:
#
#   commands.pl numbered COUNT [PID]              prints commands that are told apart by their replies
#   commands.pl replied PID COUNT [stopped]       reads their replies, and prints what is wrong with them
#   commands.pl bytes MEGABYTES                   prints random bytes, and writes the file expected
#   commands.pl one_line MEGABYTES                prints them without a newline, and one command after them
use strict;
use warnings;

$| = 1;

# With PID every other command asks that driver instead. They are padded, so that few fill a pipe.
sub numbered {
    my ($count, $pid) = @_;
    for (my $i = 1; $i <= $count; $i++) {
        printf "%-63s\n", $pid && $i % 2 ? "get_status $pid" : "x$i" or exit;
    }
}

# The reply to create_driver comes first. A server that was stopped may have said so to the last
# commands.
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

# The bytes are the same each time: a pool of random ones laid over itself at random offsets, and a
# newline. Works out the replies, too, whose checksum goes to the file expected.
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

sub one_line {
    my ($megabytes) = @_;
    my $block = 'x' x (1 << 20);
    print $block or exit for 1 .. $megabytes;
    print "\nx1\n";
}

my %subs = (numbered => \&numbered, replied => \&replied, bytes => \&bytes, one_line => \&one_line);
my $sub = $subs{shift // ''} // die "usage: see the beginning of $0\n";
$sub->(@ARGV);

#!/usr/bin/perl
# The input of a flood, and the check of its replies:
#
#   commands.pl numbered COUNT [PID]            prints commands that each have a reply of their own
#   commands.pl replied PID COUNT [stopped]     reads the replies to them, and prints what is wrong
#   commands.pl bytes MEGABYTES                 prints random bytes; writes the file "expected"
#   commands.pl one_line MEGABYTES              prints one long line, and a command after it
use strict;
use warnings;

$| = 1;

# With PID, every other command asks that driver. The commands are padded, so that few fill a pipe.
sub numbered {
    my ($count, $pid) = @_;
    for (my $i = 1; $i <= $count; $i++) {
        printf "%-63s\n", $pid && $i % 2 ? "get_status $pid" : "x$i" or exit;
    }
}

# The reply to create_driver comes first. With stopped, the last replies may say that the server is
# stopping, or be missing.
sub replied {
    my ($pid, $count, $stopped) = @_;
    my $stopping = 0;
    my $line = <STDIN> // 'nothing';
    return print "wrong reply to create_driver: $line" if $line !~ /^Driver $pid Available\r?\n\z/;
    for my $i (1 .. $count) {
        $line = <STDIN>;
        return $stopped || print "no reply to $i of $count" if !defined $line;
        next if $line =~ /^Error: unknown command 'x$i' \(try help\)\r?\n\z/ && !$stopping;
        next if $line =~ /^(Driver $pid Available|Error: driver $pid is not responding)\r?\n\z/ && $i % 2;
        $stopping ||= $stopped && $line eq "Error: server is stopping\n";
        next if $stopping && $line =~ /^Error: (server is stopping|unknown command 'x$i' \(try help\))\n\z/;
        return print "wrong reply to command $i of $count: $line";
    }
    print "more than $count replies" if defined <STDIN>;
}

# The bytes are the same in each run: blocks of a random pool, XORed with each other, and a newline
# at the end. Computes the right replies, too, and writes their checksum to the file "expected".
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
my $sub = $subs{shift // ''} // die "commands.pl: bad arguments (see its first lines)\n";
$sub->(@ARGV);

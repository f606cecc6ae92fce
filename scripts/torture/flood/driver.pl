#!/usr/bin/perl
# driver.pl REAL DEED WAITING: a program for --driver. The first process becomes the real driver.
# The second one does its deed as soon as there is a line in the FIFO "go". It has inherited all
# signals blocked, so only KILL ends it.
#
#   answers   answers WAITING requests, and 1000 that nobody made, in a loop
#   bytes     does so once, a byte at a time
#   garbage   sends bytes that are not a frame, in a loop
#   ends      reports the end of a task, in a loop
#   closes    closes its socket and stays
use strict;
use warnings;

my ($real, $deed, $waiting) = @ARGV;
my $server; # the socket, which is nonblocking

# See proto.h.
sub frame {
    my ($type, $id, $body) = @_;
    return pack 'CCSLa*', 3, $type, length $body, $id, $body;
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

sub answers {
    return join '', map { frame(66, $_, "\0" x 16) } 1 .. $waiting + 1000;
}

my %deeds = (
    answers => sub { say_all(answers()) while 1 },
    bytes => sub { say_all($_) for split //, answers() },
    garbage => sub { say_all('garbage' x 1000) while 1 },
    ends => sub { say_all(frame(67, 0, pack 'L', 1) x 1000) while 1 },
    closes => sub { close $server },
);

if (mkdir 'first') {
    exec {$real} $real or die "exec: $!";
}
open $server, '+<&=', 3 or die "socket: $!";
say_all(frame(65, 0, pack 'L', $$));
open my $go, '<', 'go' or die "go: $!";
readline $go;
$deeds{$deed}->();
sleep 1000;

#!/usr/bin/perl
# json.pl: fails unless a strict parser takes each line of standard input as one JSON object. Prints
# them with their keys sorted.
use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->canonical;
while (<STDIN>) {
    chomp;
    my $object = $json->decode($_);
    ref $object eq 'HASH' or die "not an object: $_\n";
    print $json->encode($object), "\n";
}

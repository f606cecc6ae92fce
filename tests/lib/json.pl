#!/usr/bin/perl
# json.pl: each line of its standard input must be one JSON object, by a strict parser; prints them
# with their keys in order.
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

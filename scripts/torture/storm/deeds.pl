#!/usr/bin/perl
# deeds.pl RAN BOOK...: compares what jobs have done with the replies. Each line of RAN has the name
# of a job and its TAXI_JOB; each line of a BOOK has the name of a job and the reply, as text or JSON.
# The replies to clients that have vanished are missing. Jobs whose names begin with "half" are those
# of half lines, which must not run. Prints what is wrong; if nothing is, how many jobs there were.
use strict;
use warnings;

my ($ran, @books) = @ARGV;
my (%numbers, %deeds); # by name
my %name_of;           # by number
my ($wrong, $replies) = (0, 0);

sub main {
    read_deeds();
    read_book($_) for @books;
    exit 1 if $wrong;
    print scalar keys %deeds, " jobs ran, $replies had a reply\n";
}

sub wrong {
    print "@_\n";
    $wrong = 1;
}

sub read_deeds {
    open my $file, '<', $ran or return;
    while (<$file>) {
        my ($name, $number) = /^(\S+) (\d+)$/ or wrong("a deed of no job: $_");
        wrong("$name ran more than once, as jobs $numbers{$name} and $number") if $deeds{$name}++;
        wrong("$name ran, but is half a line of a client that has died") if $name =~ /^half-/;
        $numbers{$name} = $number;
        claim($name, $number);
    }
}

# No two jobs may have the same number.
sub claim {
    my ($name, $number) = @_;
    my $owner = $name_of{$number} //= $name;
    wrong("$owner and $name both have the number $number") if $owner ne $name;
}

sub read_book {
    open my $file, '<', $_[0] or die "$_[0]: $!\n";
    while (<$file>) {
        my ($name, $reply) = /^(\S+) (.*)$/;
        my $deeds = $deeds{$name} // 0;
        $replies++;
        if ($reply =~ /^(?:Error: |\{"error":)/) {
            wrong("$name ran, but the reply is: $reply") if $deeds;
            next;
        }
        my ($number, $word) = $reply =~ /^(?:Job |\{"job":)(\d+)(?: Done |,(?:"driver":\d+,)?")(\w+)/;
        claim($name, $number);
        wrong("$name ran as job $numbers{$name}, but the reply is: $reply")
            if $deeds && $numbers{$name} != $number;
        wrong("$name ran, but the reply is: $reply") if $word eq 'unrun' && $deeds;
        wrong("$name did not run, but the reply is: $reply") if $word =~ /^(exit|signal)$/ && !$deeds;
    }
}

main();

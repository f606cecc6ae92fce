#!/usr/bin/perl
# audit.pl COUNT: compares what the server said of each job (the file "replies" and its log, "err")
# with what the job has done (the file "ran") and with the blows (the file "blows"). Prints what is
# wrong with the first jobs for which something is wrong. If nothing is, prints how many blows there
# were, and how many jobs ended in each way.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Plan;

my ($count) = @ARGV;
my $shown = 10; # how many faults are printed
my ($wrong, $blows, $fatal) = (0, 0, 0);
my @deeds;     # by number of job: how many there are
my @driver_of; # by number of job: where it ran
my %got;       # by driver: its blows, such as " STOP KILL"
my %told;      # how many jobs ended in each way

sub main {
    read_deeds();
    read_blows();
    read_log();
    read_replies();
    my $lost = $told{lost} // 0;
    wrong("$lost jobs lost, but only $fatal blows that could cost one") if $lost > $fatal;
    exit 1 if $wrong;
    my @words = qw(exit signal timeout cancelled lost unrun);
    print "$blows blows; ", join(', ', map { ($told{$_} // 0) . " $_" } @words), "\n";
}

sub wrong {
    print "@_\n" if $wrong++ < $shown;
}

# Each line has the number of a job, its TAXI_JOB and its TAXI_SLOT.
sub read_deeds {
    open my $file, '<', 'ran' or return;
    while (<$file>) {
        my ($n, $number) = /^([1-9]\d*) (\d+) [1-9]\d*$/;
        if (!defined $n || $n > $count) {
            wrong("a deed of no job: $_");
            next;
        }
        wrong("the TAXI_JOB of job $n was $number") if $number != $n;
        $deeds[$n]++;
    }
}

sub read_blows {
    open my $file, '<', 'blows' or return;
    note(split) while <$file>;
}

# note BLOW DRIVER: a driver that is stopped only for a moment loses no job.
sub note {
    my ($blow, $driver) = @_;
    return if $blow eq 'CONT';
    $got{$driver} .= " $blow";
    $blows++;
    $fatal++ if $blow ne 'STOP';
}

# Some jobs are blows for their own drivers. A driver that is stopped or killed at once may not have
# told the server that it runs the job. What a shell writes to the same file may stand before the
# server's line.
sub read_log {
    open my $file, '<', 'err' or die "err: $!\n";
    while (<$file>) {
        my ($n, $driver) = /server: job (\d+) (?:runs on|Done lost) driver (\d+) / or next;
        my $before = $driver_of[$n];
        if (defined $before) {
            wrong("job $n began on driver $before, and on driver $driver") if $before != $driver;
            next;
        }
        $driver_of[$n] = $driver;
        my $job = job($n);
        note($job->{blow}, $driver) if $job->{blow};
    }
}

sub read_replies {
    my $n = 0;
    open my $file, '<', 'replies' or die "replies: $!\n";
    while (<$file>) {
        chomp;
        $n++;
        my $why = 'it is not the reply to that job';
        if (my ($result) = /^Job $n Done (.*)$/) {
            $told{$1}++ if $result =~ /^(\w+)/;
            $why = fault_of($n, $result);
        }
        my $context = ($deeds[$n] // 0) . ' deeds; its driver got' . got($n);
        wrong("'$_': $why; $context; the command: " . job($n)->{line}) if $why;
    }
    wrong("$n replies to $count jobs") if $n != $count;
}

# Returns the blows that the driver of that job got.
sub got {
    my ($n) = @_;
    return $driver_of[$n] && $got{$driver_of[$n]} || ' nothing';
}

# Returns what is wrong with the result of a job, or ''.
sub fault_of {
    my ($n, $result) = @_;
    my $job = job($n);
    my $deeds = $deeds[$n] // 0;
    my ($word) = $result =~ /^(\w+)/;
    my $right = $result =~ /^\Q$job->{result}\E( |$)/;

    return 'it ran more than once' if $deeds > 1;
    if ($word eq 'unrun') {
        return 'it ran' if $deeds;
        return $result =~ /^unrun cannot start a process: / ? '' : 'nothing kept it from running';
    }
    if ($word eq 'exit' || $word eq 'signal') {
        return '' if got($n) =~ /starve/;
        return 'wrong RESULT' unless $right || $result eq ($job->{bears} // '');
        return $deeds == $job->{deeds} ? '' : 'it did not run once';
    }
    return '' if $word eq 'timeout' && $right;
    return 'nothing has hit its driver' if got($n) eq ' nothing';
    return $word eq 'cancelled' && got($n) !~ /TERM/ ? 'nobody cancelled it' : '';
}

main();

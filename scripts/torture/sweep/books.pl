#!/usr/bin/perl
# books.pl PROGRAM ENDS: compares the log of a run of crashes.sh with what the jobs have done (the
# file "ran", and their output in "o") and with the replies of all servers. A job ends as the comment
# in its command says, or in a way that matches ENDS. Prints what is wrong, and then exits with 1.
use strict;
use warnings;

my ($program, $ends) = @ARGV;
my $is_batch = $program !~ /queue/;
my $unlogged = 'lost its end is not in the log';
my $is_cut_off = grep { /^server: cannot write the log/ } lines('err');
my $wrong = 0;
my @command; # by our number of a job, from 0: its command
my %deeds;   # by our number: how many there are
my %job;     # by the number that a server gave: what the log has of the job
my %ended;   # by our number: the numbers under which it ended

sub main {
    read_commands();
    $deeds{$_}++ for lines('ran');
    read_log();
    check_job($_) for sort { $a <=> $b } keys %job;
    check_command($_) for 1 .. @command;
    check_replies($_) for glob 'out.*';
    check_last_batch() if $is_batch;
    check_queue() if !$is_batch;
    exit($wrong > 0);
}

sub wrong {
    print "@_\n";
    $wrong++;
}

# Returns the whole lines of a file, which may not exist.
sub lines {
    open my $file, '<', $_[0] or return ();
    return map { s/\n//r } grep { /\n$/ } <$file>;
}

sub read_commands {
    @command = map { s/^\S+ //r } lines('given');
    splice @command, 8 if $is_batch;
}

# Returns our number of the job with that command.
sub ours {
    my ($command) = @_;
    my ($n) = $command =~ /^echo (\d+);/;
    return $n if defined $n && $n <= @command && $command[$n - 1] eq $command;
    wrong("a command that nobody gave: $command");
    return 1;
}

sub read_log {
    my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
    for (lines('log')) {
        my ($number, $step, $driver, $result, $command) =
            /^$time\t(\d+)\t(Waiting|Running|Done)\t(any|-|\d+)\t(?:-|\d+\.\d{3})\t([^\t]+)\t([^\t]+)$/;
        if (defined $number) {
            take_step($number, $step, $driver, $result, ours($command));
        } else {
            wrong("a bad line in the log: $_");
        }
    }
}

# A job waits, runs and is done. It waits again if its driver gives it back; or if it was submitted
# and a server has stopped, in which case it was unrun.
sub take_step {
    my ($number, $step, $driver, $result, $n) = @_;
    my $job = $job{$number} //= { n => $n, steps => '', submitted => $driver eq '-' };
    my $last = substr $job->{steps}, -1;
    wrong("number $number is of jobs $job->{n} and $n") if $job->{n} != $n;
    $step = 'unrun' if $step eq 'Done' && $result =~ /^unrun/;
    my $fits = $step eq 'Waiting' ? $last ne 'D' && ($last ne 'R' || $driver =~ /\d/)
        : $step eq 'Done' ? $last =~ /[WR]/ : $last eq 'W';
    wrong("job $number is $step $driver '$result' after '$job->{steps}'") if !$fits;
    $job->{begun} = 1 if $step eq 'Running';
    $job->{result} = $result if $step eq 'Done';
    $job->{steps} .= substr $step, 0, 1;
}

# In the end nothing runs, and nothing waits that was submitted. What is lost was reported once; a
# server that was killed while it resumed may have reported it to the log alone.
sub check_job {
    my ($number) = @_;
    my $job = $job{$number};
    my $result = $job->{result};
    push @{ $ended{ $job->{n} } }, $number if defined $result;
    wrong("job $number is forgotten: '$job->{steps}'")
        if $job->{steps} =~ /R$/ || ($job->{submitted} && !defined $result);
    my $told = grep { /^server: job $number Done $unlogged: / } map { lines($_) } glob 'err.*';
    my $is_lost = defined $result && $result eq $unlogged;
    wrong("job $number was told to be lost $told times")
        if $is_lost ? $told > 1 || ($told == 0 && $program !~ /^re/) : $told > 0;
}

# A job has ended at most once, and has done what its result says.
sub check_command {
    my ($n) = @_;
    my @numbers = @{ $ended{$n} // [] };
    my $deeds = $deeds{$n} // 0;
    my ($how) = $command[$n - 1] =~ /# (.*)$/;
    wrong("command $n has ended as jobs @numbers") if @numbers > 1;
    wrong("command $n ran $deeds times") if $deeds > 1;
    wrong("command $n ran, and the log has no begin of it")
        if $deeds && !grep { $_->{n} == $n && $_->{begun} } values %job;
    return if !@numbers;
    my $result = $job{ $numbers[0] }{result};
    my $out = join ' ', lines("o/$numbers[0].out");
    wrong("command $n is '$result'") if $result !~ /^(?:$how|$ends)$/;
    return if $result !~ /^(?:exit|signal)/;
    wrong("command $n is '$result', and ran $deeds times") if $deeds != 1;
    wrong("command $n has written '$out'") if $is_batch && $out ne $n;
}

# What a server has replied is what the log has; or lost, if the server could no longer write there.
sub check_replies {
    my ($file) = @_;
    for (lines($file)) {
        my ($number, $result) = /^Job (\d+) Done (.*)$/;
        if (!defined $number) {
            wrong("$file: $_");
            next;
        }
        my $logged = $job{$number}{result} // '';
        my $differs = $result !~ /^unrun/ && $result ne $logged;
        if ($differs && !($is_cut_off && $logged eq $unlogged)) {
            wrong("$file: job $number is '$result', and in the log '$logged'");
        }
    }
}

# The last server has a reply to each command, in order.
sub check_last_batch {
    my @got = map { /^Job (\d+) / ? $job{$1}{n} // 0 : 0 } lines('out.last');
    my $order = join ' ', 1 .. @command;
    wrong("the last replies are about commands @got") if "@got" ne $order;
}

# What was taken has ended under its number. The last server lists nothing but what is in the log as
# Done.
sub check_queue {
    check_taken('taken.first', 1);
    check_taken('taken.last', 9);
    for (lines('listed')) {
        next if /^\d+ (?:job|driver)s?$/;
        wrong("listed: $_") if !/^Job (\d+) Done (.*)\t/ || $2 ne ($job{$1}{result} // '');
    }
}

sub check_taken {
    my ($file, $n) = @_;
    for (lines($file)) {
        next if !/^Job (\d+) Waiting$/;
        my @numbers = @{ $ended{$n} // [] };
        wrong("command $n was taken as job $1, and has ended as '@numbers'") if "@numbers" ne $1;
        $n++;
    }
}

main();

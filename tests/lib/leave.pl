#!/usr/bin/perl
# leave.pl session|groups: a job that leaves a process behind, and writes its pid to the file left.
# session: the process has a session of its own, and the job ends. groups: the process has a process
# group of its own, as has its parent, and the job goes on until it is killed.
use strict;
use warnings;
use POSIX;

sub tell_pid {
    open my $file, '>', 'new' or die;
    print $file $$;
    close $file;
    rename 'new', 'left';
}

sub apart {
    my ($what) = @_;
    return if fork;
    setpgrp;
    $what->();
    pause;
    exit;
}

if ($ARGV[0] eq 'session') {
    if (!fork) {
        POSIX::setsid;
        tell_pid();
        POSIX::pause();
        exit;
    }
    select undef, undef, undef, 0.01 until -e 'left';
} else {
    apart(sub { apart(\&tell_pid) });
    pause;
}

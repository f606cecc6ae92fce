# Random commands for the storm's clients, each with a pattern of its reply.
package Commands;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(command half_line chance job_name);
our @pids = (1); # of the drivers in the last list

sub chance { int rand $_[0] }

# command JSON, AT_ONCE: returns a command; if AT_ONCE is true, one whose reply does not take time.
# The result is its line, a pattern of the last line of its reply and, for a list, a pattern of the
# other lines.
sub command {
    my ($json, $at_once) = @_;
    my $pid = $pids[rand @pids];
    my $kind = $at_once ? (0, 0, 0, 11, 22)[rand 5] : chance(23);
    return ("get_status $pid", reply_about($pid, $json)) if $kind < 8;
    return ("cancel_task $pid", reply_about($pid, $json)) if $kind < 9;
    return ("wait $pid", reply_about($pid, $json)) if $kind < 10;
    return ('wait', $json ? qr/^\{"count":\d+\}$/ : qr/^\d+ drivers?$/) if $kind < 11;
    return ('stats', $json ? qr/^\{"uptime":.*\}$/ : qr/^Stats uptime=/) if $kind < 12;
    return ('get_drivers', $json ? qr/^\{"count":(\d+)\}$/ : qr/^(\d+) drivers?$/,
            $json ? qr/^\{"driver":(\d+),"state":"[a-z]+".*\}$/ : qr/^Driver (\d+) [A-Z]/) if $kind < 14;
    return task($json) if $kind < 17;
    return job($json) if $kind < 20;
    my $nonsense = 'nonsense' . chance(1e6);
    return ($nonsense, $json ? qr/^\{"error":"unknown command '$nonsense' /
                             : qr/^Error: unknown command '$nonsense' /);
}

# Returns a pattern of the reply to a command about that driver.
my %about;

sub reply_about {
    my ($pid, $json) = @_;
    return $about{"$pid $json"} //= $json
        ? qr/^\{"(driver":|error":"(no )?driver )$pid\b.*\}$/
        : qr/^(Driver|Error: (no )?driver) $pid( |$)/;
}

sub task {
    my ($json) = @_;
    my $task = sprintf 'send_task any 0.%03d', 1 + chance(80);
    return ($task, $json ? qr/^\{"(driver":\d+,"state":"busy"|error":"(no driver"|driver \d+ )).*\}$/
                         : qr/^(Driver \d+ Busy 1$|Error: no driver$|Error: driver \d+ )/);
}

# A job, whose driver may be stopped, killed or told to exit. As its first deed it writes a name that
# no other job has, and its TAXI_JOB, to the file $RAN. The processes that it leaves behind have
# $STORM in their arguments, by which the audit finds them.
my $jobs = 0;

sub job {
    my ($json) = @_;
    my $status = chance(100);
    my $name = "$$-" . $jobs++;
    my $sleep = "sleep 50.$ENV{STORM}";
    my $code = ("exit $status", "sleep 0.01; exit $status", "setsid $sleep & $sleep & exit $status",
                "trap '' TERM; $sleep & $sleep; exit $status", "(setsid $sleep &); exit $status")[rand 5];
    my $done = $json ? qr/"(exit":$status|(timeout|cancelled)":true|(unrun|lost)":"[^"]+"),/
                     : qr/(exit $status|timeout|cancelled|(unrun|lost) .+)$/;
    return ("run any 0.1 echo $name \$TAXI_JOB >>$ENV{RAN}; $code",
            $json ? qr/^\{("job":\d+,("driver":\d+,)?$done.*|"error":"no driver",.*)\}$/
                  : qr/^(Job \d+ Done $done|Error: no driver$)/);
}

# half_line COUNTS: returns the beginning of a longer command, without a newline. It is a legal command
# by itself, of a job that writes its name, as above. COUNTS says whether it may be run, because the
# client has ended its input and listens. If not, the name begins with "half", and the audit must not
# find it.
sub half_line {
    my ($counts) = @_;
    my $name = ($counts ? 'last' : 'half') . "-$$-" . $jobs++;
    my $verb = ('run any', 'submit', "run $pids[rand @pids]")[rand 3];
    return "$verb 0.1 echo $name \$TAXI_JOB >>$ENV{RAN}" . ('', ' ', ';', '; exit 1')[rand 4];
}

# job_name COMMAND: returns the name that a job with that command writes, or undef if it is no job.
sub job_name {
    my ($command) = @_;
    return $command =~ /^run any \S+ echo (\S+) / ? $1 : undef;
}

1;

# The jobs of jobs.sh. The number of a job determines what it does and how it must end. As its first
# deed, a job that has a shell appends a line of three numbers to the file "ran": its own by this
# plan, its TAXI_JOB, and its TAXI_SLOT.
package Plan;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(job);

# How many in 64 jobs are of that kind, the limit in seconds, the command, and how it ends. DEED
# stands for the deed, STATUS for a status, and SIGNAL for a signal. The limit is far more than a
# job needs, but less than the script waits for a reply, in case its driver stays stopped.
my @kinds = (
    [3, 30, 'true', 'exit 0'],
    [3, 30, 'false', 'exit 1'],
    [2, 30, './missing', 'exit 127'],
    [2, 30, './unfit', 'exit 126'],
    [6, 30, './deed STATUS', 'exit STATUS'],
    [6, 30, 'DEED kill -SIGNAL $$', 'signal SIGNAL'],
    [3, 0.05, 'DEED sleep 1000', 'timeout'],
    [1, 0.05, "DEED trap '' TERM; sleep 1000; sleep 1000", 'timeout'],
    [1, 30, 'DEED sleep 1000 & exit STATUS', 'exit STATUS'],
    [1, 30, 'DEED (setsid sleep 1000 &); exit STATUS', 'exit STATUS'],
    [1, 30, 'DEED for i in 1 2 3 4 5; do sleep 1000 & done; exit STATUS', 'exit STATUS'],
    [35, 30, 'DEED exit STATUS', 'exit STATUS'],
);

# Every so often a job strikes its own driver: how, and how it ends if nothing else happens to that.
my $strikes_every = 199;
my @strikes = (
    ['kill -KILL $PPID; sleep 1000', 'lost'],
    ['kill -STOP $PPID; sleep 1000', 'timeout'],
    ['kill -STOP $PPID; exit STATUS', 'lost'],
    ['kill -STOP $PPID; sleep 0.1; kill -CONT $PPID; exit STATUS', 'exit STATUS'],
    ['kill -TERM $PPID; sleep 1000', 'cancelled'],
    ['prlimit --nofile=0:0 --pid $PPID; (setsid sleep 1000 &); echo $PPID >>starved; exit STATUS',
     'lost'],
);

my @signals = (1, 2, 9, 10, 13, 14, 15);
my @kind_of = map { ($_) x $_->[0] } @kinds;

# job NUMBER: returns a hash:
#
#   line       the command that gives the job
#   result     how it ends if nobody harms its driver; without WHY
#   deeds      how many lines it writes then
#   blow       what it does to its own driver, if it does
#   bears      how it ends if the driver bears that
sub job {
    my ($n) = @_;
    my %job;
    my $status = $n * 7 % 256;
    my (undef, $limit, $command, $result) = @{$kind_of[$n * 31 % 64]};
    if ($n % $strikes_every == $strikes_every - 1) {
        ($command, $result) = @{$strikes[int($n / $strikes_every) % @strikes]};
        $limit = 0.3;
        $job{blow} = 'own ' . ($command =~ /^kill -(\w+)/ ? $1 : 'starve');
        $job{bears} = "exit $status";
        $command = "DEED $command";
    }
    $job{deeds} = $command =~ /deed/i ? 1 : 0;
    for ($command, $result) {
        s/DEED/echo $n \$TAXI_JOB \$TAXI_SLOT >>ran;/;
        s/STATUS/$status/;
        s/SIGNAL/$signals[$n % @signals]/;
        s/deed/deed $n/;
    }
    return {%job, line => "run any $limit $command", result => $result};
}

1;

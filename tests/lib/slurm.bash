# A Slurm cluster of two nodes on this machine, for the tests of a file.
# shellcheck shell=bash

unset SLURM_CONF # this machine may be a node of another cluster

# Skips the test if there is no cluster, see start_slurm.
needs_slurm() {
    local command
    for command in munged slurmctld slurmd sbatch srun; do
        command -v $command >/dev/null || skip "no $command (Debian's packages slurm-wlm and munge)"
    done
    [ "$(id -u)" = 0 ] || skip "only root can start Slurm's daemons"
}

# start_slurm: starts the cluster in the directory slurm, if this machine can have one, and waits until
# both nodes are idle. Adds the daemons to started.
start_slurm() {
    local node
    (skip() { exit 1; } && needs_slurm) || return 0
    mkdir -p slurm/state slurm/spool
    slurm_daemons=
    export SLURM_CONF=$PWD/slurm/slurm.conf
    configure_slurm >"$SLURM_CONF"
    start_munged
    slurm_daemon slurmctld -D
    for node in n1 n2; do
        slurm_daemon slurmd -D -N $node
    done
    wait_until nodes_are_idle
    slurm_processes | xargs >slurm/pids
    unset SLURM_CONF
}

# use_slurm: exports SLURM_CONF, which all commands and processes of Slurm then have in their environment.
# The process of the test itself began without it.
use_slurm() {
    needs_slurm
    slurm_daemons=$(<"$BATS_FILE_TMPDIR/slurm/pids")
    export SLURM_CONF=$BATS_FILE_TMPDIR/slurm/slurm.conf
}

# Prints the configuration. The daemons listen on 127.0.0.1 alone, and use no control groups. When one
# task of a batch has ended, srun ends the others, unless it is told not to. A batch begins at once, not
# after three seconds.
configure_slurm() {
    local host port
    host=$(hostname -s)
    port=$(free_ports)
    cat <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$PWD/slurm/munge.socket
CredType=cred/munge
StateSaveLocation=$PWD/slurm/state
SlurmdSpoolDir=$PWD/slurm/spool/%n
SlurmctldPidFile=$PWD/slurm/slurmctld.pid
SlurmdPidFile=$PWD/slurm/%n.pid
SlurmctldLogFile=$PWD/slurm/slurmctld.log
SlurmdLogFile=$PWD/slurm/%n.log
MailProg=/bin/true
MpiDefault=none
KillOnBadExit=1
WaitTime=1
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=2
PartitionName=all Nodes=n[1-2] Default=YES MaxTime=10
END
}

# Prints the first of three ports that nobody listens on.
free_ports() {
    local port
    for ((port = 10000 + $$ % 6000 * 3; ; port += 3)); do
        ! listens $port && ! listens $((port + 1)) && ! listens $((port + 2)) && break
    done
    echo $port
}

listens() {
    { : >/dev/tcp/127.0.0.1/"$1"; } 2>/dev/null
}

start_munged() {
    (umask 077 && head -c 128 /dev/urandom >slurm/munge.key)
    slurm_daemon munged --foreground --force --key-file="$PWD/slurm/munge.key" --socket="$PWD/slurm/munge.socket" \
        --pid-file="$PWD/slurm/munge.pid" --log-file="$PWD/slurm/munge.log" --seed-file="$PWD/slurm/munge.seed"
    wait_until test -S slurm/munge.socket
}

# slurm_daemon COMMAND...: starts a daemon.
slurm_daemon() {
    "$@" >>slurm/daemons 2>&1 3>&- &
    started+=("$!")
}

nodes_are_idle() {
    (($(sinfo --noheader --Node --states=idle 2>/dev/null | wc -l) == 2)) || pause_long
}

# Prints the pids of all processes of the cluster but its daemons.
slurm_processes() {
    local process
    grep -lsxz "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ | while read -r process; do
        process=${process//[^0-9]/}
        [[ " $slurm_daemons " == *" $process "* ]] || ended "$process" || echo "$process"
    done
}

no_slurm_processes() {
    [ -z "$(slurm_processes)" ]
}

# end_batches: ends the batches of a test that has failed, and all their processes, by pid.
end_batches() {
    local process
    [[ -n ${SLURM_CONF-} ]] || return 0
    [[ -z $(squeue --noheader) ]] || scancel --user root
    for process in $(slurm_processes); do
        kill -KILL "$process" 2>/dev/null || true
    done
    wait_until nodes_are_idle
}

# send_batch OPTION...: has Slurm run scripts/recipes/slurm.sh with the file jobs and these options of
# the server, on $nodes nodes. Sets batch to its number.
send_batch() {
    batch=$(sbatch --parsable "--nodes=${nodes:-2}" "$ROOT/scripts/recipes/slurm.sh" jobs "${PATIENT[@]}" "$@")
}

# batch_ends STATE: the batch ends in that state, and leaves no process.
batch_ends() {
    wait_until in_batch_state "$1" || fail "$(scontrol show job "$batch")" "$(cat slurm-*.out)" || return
    wait_until no_slurm_processes
}

in_batch_state() {
    [[ $(scontrol show job "$batch") == *"JobState=$1 "* ]] || pause_long
}

# Fails after ten pauses: Slurm's commands take longer than others, and what they look at lasts.
pause_long() {
    local _
    for _ in {1..10}; do pause; done
    return 1
}

# summary_is LINE...: the last summary of the batch has these lines.
summary_is() {
    [ "$(summary)" = "$(printf '%s\n' "$@")" ] || fail "the summary is:" "$(summary)"
}

# counts_are LINE...: the same, without the jobs that failed.
counts_are() {
    [ "$(summary | grep '^[0-9]')" = "$(printf '%s\n' "$@")" ] || fail "the summary is:" "$(summary)"
}

# Prints the last summary of the batch, without its title, with single blanks.
summary() {
    tac "slurm-$batch.out" | sed '/^server  /q' | tac | sed '1d; s/^ *//; s/  */ /g'
}

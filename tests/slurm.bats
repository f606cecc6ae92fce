#!/usr/bin/env bats
# scripts/recipes/slurm.sh, on a cluster of two nodes on this machine.

load lib/helpers
load lib/slurm

export TAXI_SERVER=$SERVER

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    started=()
    start_slurm
}

teardown_file() {
    end_started
}

setup() {
    enter_test
    use_slurm
}

teardown() {
    end_started
    end_batches
}

@test "slurm.sh: all jobs run once, in shares" {
    for i in {1..20}; do
        echo "run any 50 echo $i \$SLURMD_NODENAME >>deeds"
    done >'jobs'
    printf '\n# no job\nrun any 50 echo 23 $SLURMD_NODENAME >>deeds' >>'jobs'
    send_batch
    batch_ends COMPLETED
    summary_is '0 10 0 0 0' '1 11 0 0 0'
    [ "$(sort -n deeds)" = "$(for i in {1..20} 23; do echo "$i n$((1 + i % 2))"; done)" ]
    # The same batch again: there is nothing left to do.
    send_batch
    batch_ends COMPLETED
    summary_is '0 10 0 0 0' '1 11 0 0 0'
    [ "$(wc -l <deeds)" = 21 ]
    # With other shares all would run again.
    nodes=1 send_batch
    batch_ends FAILED
    grep -qx 'slurm.sh: jobs.0-of-2.log is of another number of nodes than 1' "slurm-$batch.out"
    [ "$(wc -l <deeds)" = 21 ]
}

@test "slurm.sh: after a job that failed the batch has FAILED, and the summary says which" {
    printf 'run any 50 %s\n' true 'echo a >>deeds; exit 3' true true >'jobs'
    echo 'run any fifty true' >>'jobs'
    send_batch
    batch_ends FAILED
    summary_is '0 1 1 0 0' 'run any 50 echo a >>deeds; exit 3: Job 1 Done exit 3' '1 2 1 0 0' \
        "run any fifty true: Error: bad seconds 'fifty' (above 0, at most 31536000, three digits behind the point)"
    send_batch
    batch_ends FAILED
    [ "$(cat deeds)" = a ]
}

# hold_batch CODE OPTION...: starts a batch, and waits until on each of its two nodes one job is done, two
# run, which run CODE, and the others wait. Each of the $count jobs writes its line to the file deeds.
hold_batch() {
    awk -v count="${count:-8}" -v code="; $1" 'BEGIN {
        for (i = 1; i <= count; i++)
            print "run any 500 echo " i " >>deeds" (i >= 3 && i <= 6 ? code : "")
    }' >'jobs'
    : >deeds
    send_batch "${@:2}"
    wait_until has_deeds 6 || fail "$(squeue; sinfo; cat deeds slurm-*.out; tail -n 30 "$BATS_FILE_TMPDIR"/slurm/*.log)"
}

has_deeds() {
    (($(wc -l <deeds) == $1))
}

# is_stopping NUMBER: that server has said that its last job does not run.
is_stopping() {
    grep -q 'unrun server is stopping' "jobs.$1-of-2.log"
}

# Each job was begun once, also those that ended when they were asked to.
begun_once() {
    [ "$(sort deeds)" = "$(printf '%s\n' {1..8})" ]
}

@test "slurm.sh: requeue in the middle: jobs have their grace, and no job runs again, unless --resume=failed" {
    cat >save <<'END'
trap 'until test -e gate; do sleep 0.01; done; echo >>saved; exit 7' TERM
until test -e gate; do sleep 0.01; done
END
    hold_batch '. ./save'
    scontrol requeue "$batch"
    wait_until is_stopping 0
    wait_until is_stopping 1
    touch gate
    wait_until in_batch_state PENDING
    [ "$(wc -l <saved)" = 4 ]
    [ "$(wc -l <deeds)" = 6 ]
    counts_are '0 1 2 0 1' '1 1 2 0 1'
    scontrol update "JobId=$batch" StartTime=now # instead of in two minutes
    batch_ends FAILED
    begun_once
    counts_are '0 2 2 0 0' '1 2 2 0 0'
    send_batch --resume=failed
    batch_ends COMPLETED
    summary_is '0 4 0 0 0' '1 4 0 0 0'
}

@test "slurm.sh: scancel leaves nothing, not even what is deaf to TERM" {
    # More jobs than the servers have read by then.
    count=20000 hold_batch 'trap "" TERM; setsid sleep 1000 & sleep 1000' --grace 0.3
    scancel "$batch"
    batch_ends CANCELLED
    counts_are '0 1 2 0 9997' '1 1 2 0 9997'
    [ "$(wc -l <deeds)" = 6 ]
}

@test "slurm.sh: if a server is killed, the others go on; the summary says so, and the next one what is lost" {
    hold_batch 'until test -e gate; do sleep 0.01; done'
    for process in $(slurm_processes); do
        ! grep -zqx 'jobs.1-of-2.log' "/proc/$process/cmdline" || [[ ! /proc/$process/exe -ef $SERVER ]] ||
            kill -KILL "$process"
    done
    wait_for "slurm-$batch.out" 'srun: error: n2: task 1: .*'
    wait_until past "$(($(uptime_ms) + 2000))" # Slurm would end the others by now
    touch gate
    batch_ends FAILED
    summary_is '0 4 0 0 0' '1 1 0 0 0' 'its server was killed; the log says which of 3 other jobs have begun'
    send_batch
    batch_ends FAILED
    begun_once
    counts_are '0 4 0 0 0' '1 2 0 2 0'
}

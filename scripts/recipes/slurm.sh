#!/bin/bash
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@60
# Runs a batch of jobs on several nodes of a Slurm cluster: one taxi-server on each node, which runs
# as many jobs at a time as Slurm gives it processors.
#
#   sbatch [OPTION...] slurm.sh JOBS [SERVER-OPTION...]
#
# JOBS has a line such as "run any 60 gzip -k pages/1" for each job; empty lines, and lines that begin
# with #, are skipped. Of N servers, server I has the lines whose number modulo N is I. With --each
# SECONDS COMMAND at the end of the server's options, the lines are names.
#
# JOBS and the directory in which sbatch is called must be on a file system that all nodes share. Each
# server has a log in that directory, such as jobs.0-of-2.log. If Slurm runs the batch again (requeue),
# or if you do, a job that has begun does not run again; with --resume=failed it does if it did not end
# with exit 0. Lines may be added to JOBS only at its end, and the number of nodes must stay the same.
#
# A minute before the end of its time (or up to two), and at scancel and requeue, the server gets TERM:
# no job begins any more, and those that run have 20 seconds to end. KillWait in slurm.conf must be
# longer than that. At the end, a summary says how many jobs of each server are done, and which ones
# failed. If any is not done, the state of the batch is FAILED.
#
# TAXI_SERVER names the server if it is not in PATH. In the server's options, %t becomes the number of
# the server, as in --output out.%t.
set -u

main() {
    if [ -z "${SLURM_JOB_ID-}" ] || [ $# = 0 ]; then
        usage
    fi
    jobs=$1 log=${1##*/} run=slurm-$SLURM_JOB_ID servers=$SLURM_JOB_NUM_NODES
    server=${TAXI_SERVER:-taxi-server}
    shift
    check_logs
    # All processes of the batch get TERM from scancel. This one waits until the servers have ended.
    trap : TERM
    local status=
    srun --ntasks="$servers" --ntasks-per-node=1 --cpu-bind=none --kill-on-bad-exit=0 --wait=0 \
        bash -uc "$(declare -p jobs log run servers server; declare -f serve); serve \"\$@\"" serve "$@" || status=$?
    summary || : "${status:=4}"
    exit "${status:-0}"
}

# Prints the comment at the head of this file, and ends.
usage() {
    sed -n '/^# /,/^[^#]/{ s/^# \{0,1\}//p; }' "$0" >&2
    exit 2
}

# Ends the batch if it has run on another number of nodes: the servers had other lines then.
check_logs() {
    local other
    for other in "$log".*-of-*.log; do
        [ ! -e "$other" ] || [[ $other == *-of-"$servers".log ]] || {
            echo "slurm.sh: $other is of another number of nodes than $servers" >&2
            exit 2
        }
    done
}

# serve [OPTION...]: runs the server of this node. Its lines are in a file, because Slurm's TERM would
# also end a process that writes them to a pipe, perhaps in the middle of a line.
# shellcheck disable=SC2317 # srun runs it
serve() {
    local number=$SLURM_PROCID status=0
    local mine=$run.$number
    trap : TERM # the server gets it, too
    : >"$mine.replies"
    awk -v servers="$servers" -v number="$number" 'NR % servers == number && NF && !/^#/' <"$jobs" >"$mine.lines" ||
        exit
    "$server" --drivers "$SLURM_CPUS_ON_NODE" --grace 20 --log "$log.$number-of-$servers.log" --resume \
        "${@//%t/$number}" <"$mine.lines" >"$mine.replies" || status=$?
    [[ $status != [04] ]] || echo end >>"$mine.replies"
    exit "$status"
}

# Prints how many jobs of each server are done, and the first twenty that failed. Returns 1 if any is
# not done.
summary() {
    local number status=0
    printf '%6s %8s %8s %8s %9s\n' server 'done' failed lost 'not begun'
    for ((number = 0; number < servers; number++)); do
        account "$run.$number" || status=1
    done
    return "$status"
}

# account FILES: the same for one server. A server that was stopped has told how each job ended that
# had begun; one that was killed has not.
account() {
    awk -v number="${1##*.}" '
        FILENAME ~ /lines$/ { line[FNR] = $0; count++; next }
        $0 == "end" { stopped = 1; next }
        / Done exit 0$/ { succeeded++; next }
        / Done unrun / { unrun++; next }
        / Done lost / { lost++ }
        { bad[++bads] = line[FNR] ": " $0 }
        END {
            untold = count - succeeded - bads - unrun
            printf "%6d %8d %8d %8d %9d\n", number, succeeded, bads - lost, lost, unrun + (stopped ? untold : 0)
            for (i = 1; i <= bads && i <= 20; i++)
                print "       " bad[i]
            if (untold && !stopped)
                print "       its server was killed; the log says which of " untold " other jobs have begun"
            exit (succeeded < count)
        }' "$1.lines" "$1.replies"
}

main "$@"

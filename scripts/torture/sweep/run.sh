#!/bin/bash
# One run of the sweep: a program runs its session with a fault. Prints one line: the fault, a
# verdict ("borne", "told", "fatal", "unreached" or "WRONG"), and an explanation.
#
#   run.sh PROGRAM/CALL:error=ERRNO:when=K     the K-th CALL fails (K+: and each later one)
#   run.sh PROGRAM/CALL:signal=KILL:when=K     the program is killed there
#   run.sh PROGRAM/CALL:linked=KIND:when=K     a fault of tests/faults/inject.c
#   run.sh stops/CALL:signal=BLOW:when=K       it gets TERM, TERM2 (TERM, and at the next CALL another
#                                              one), QUIT or KILL there
#   run.sh (re)batch/CALL:signal=BLOW:when=K   it gets KILL, TERM or INT there; so (re)queue
#   run.sh crew/CALL:signal=KILL:when=K        its first driver gets it
#   run.sh PROGRAM/                            no fault; keeps the trace as build/sweep.trace.PROGRAM
#
# Only sweep.sh can start it, since it prepares what a run finds; for a single run, use sweep.sh
# --one. sweep.sh --help describes what a run must do.
# shellcheck disable=SC2317 # start_PROGRAM and its kin are called by a name that is put together
set -u
cd "$(dirname "$0")/../../.." || exit
source scripts/torture/lib.sh
source scripts/torture/sweep/programs.sh
source scripts/torture/sweep/stops.sh
source scripts/torture/sweep/crashes.sh
BUILD=$ROOT/${SWEEP_BUILD:-.}
FAULTY=$ROOT/${SWEEP_BUILD:-build/faulty}
# The reply timeout is long, for a loaded machine, but less than PATIENCE. Drivers inherit no FAULT.
LIMITS=(-t 10 -g 0.5 --env FAULT=)
SIGNALLED='stops|batch|rebatch|queue|requeue|crew' # programs that are audited even if they were killed
LASTS_PATIENCE=0.5    # seconds for a reply, if the fault lasts and may withhold every reply

main() {
    local verdict
    fault=$1
    program=${1%%/*}
    verdict=$(run) # in a subshell, bash does not report each program that is killed
    verdict=${verdict:-WRONG no verdict}
    printf '%s %s\n' "$fault" "${verdict//$'\n'/ }"
}

# Prints the verdict, at whichever point the run ends.
run() {
    trap : PIPE # a write to a program that is gone fails, but does not kill us
    dir=$(mktemp -d "$RUNS/XXXXXX") || exit
    trap 'cd / && rm -rf "$dir"' EXIT
    cd "$dir" || exit
    describe
    export GCOV_PREFIX=$BUILD/counts/$$ GCOV_PREFIX_STRIP
    GCOV_PREFIX_STRIP=$(tr -cd / <<<"$ROOT" | wc -c)
    start
    "session_$program" && complete=1
    [ -z "$to" ] || exec {to}>&-
    await_end "$tracer" || {
        # shellcheck disable=SC2046 # there may be no tracee
        kill -KILL $(tracee) "$tracer"
        wrong 'it does not end'
    }
    wait "$tracer" || status=$?
    explanation+="; $(tr '\n' ' ' <err)"
    audit
    judge_run
}

# Sets what follows from the fault, and the state in which the run begins.
describe() {
    status=0 explanation=''
    tracer='' server='' kept='' to='' from='' reply='' first=''
    results=()  # of the jobs
    errors=''   # a line for each Error or lost connection: the driver or connection that it cost
    complete='' # the session has reached its end
    is_ready='' # control: the server was ready
    early=''    # control: it ended before it was told to
    deaf=''     # we no longer wait for a reply; later ones can no longer be told apart
    unsure=''   # a command got no reply: it may or may not have had its effect
    lasts='' reply_patience=$PATIENCE
    if [[ $fault == *+ || $fault == *=termed:* ]]; then
        lasts=1 reply_patience=$LASTS_PATIENCE
    fi
    killed=''
    [[ $fault != [^d]*=@(KILL|killed):* ]] || killed=1
    blow=KILL
    [[ $fault != */kill:* ]] || blow=STOP # so that the server has to call kill(2)
    # If the server is killed with its drivers, or cannot adopt orphans, nobody is left to find what
    # a job has started.
    orphan='sleep 50 &'
    [[ -z $killed && $fault != server/prctl:* ]] || orphan=
}

# Starts the program in the working directory. Sets tracer to the process that was started.
start() {
    local faulty='' binary=$BUILD inject=${fault#*/}
    tracing=(strace -qq -o trace ${inject:+--inject="$inject"})
    if [[ $inject =~ ^(.*):linked=(.*):when=(.*)$ ]]; then
        faulty=${BASH_REMATCH[1]}:${BASH_REMATCH[2]}:${BASH_REMATCH[3]}
        tracing=(env "FAULT=$faulty") binary=$FAULTY
    fi
    mkfifo in out ready
    "start_$program"
}

# ---- a conversation

# Prints the pid in a reply. If there is none, prints "none", which the server rejects as a bad pid.
pid_of() {
    [[ $1 =~ ^Driver\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo none
}

# failed WHO WHAT: notes a failure that goes against WHO, a driver or a connection, or "-" for none.
failed() {
    [ "$1" = - ] || errors+="$1"$'\n'
    explanation+="; $2"
}

# judge WHO COMMAND PATTERN: checks that the reply matches, or is an Error or says that a job did not
# run or was lost, which goes against WHO.
judge() {
    local who=$1 command=$2 pattern=$3
    # shellcheck disable=SC2053 # it is a pattern
    [[ $reply == $pattern ]] && return
    [[ $reply == @(Error:|Job\ [1-9]\ Done\ @(unrun|lost))\ * ]] ||
        wrong "wrong reply to '$command': '$reply'"
    failed "$who" "$reply"
}

# hear COMMAND: reads a line of its reply into $reply. Returns 1 if there is none, which is wrong
# unless the program is gone or the fault lasts.
hear() {
    local status
    [ -z "$deaf" ] || return 1
    IFS= read -r -t "$reply_patience" -u "$from" reply
    status=$?
    if ((status > 128)); then
        [ -n "$lasts" ] || wrong "no reply to '$1'"
        deaf=1 unsure=1
    fi
    return $((status > 0))
}

# expect WHO COMMAND PATTERN: sends the command, reads the last line of its reply into $reply, and
# judges it. Returns 1 if there is no reply.
expect() {
    { echo "$2" >&"$to"; } 2>/dev/null || return 1
    while :; do
        hear "$2" || return 1
        [[ $2 == get_drivers && $reply == Driver* ]] || break
        first=${first:-$(pid_of "$reply")}
    done
    judge "$@"
}

# ask WHO PATTERN WORD...: does the same over a connection of its own, whose loss goes against WHO.
ask() {
    local who=$1 pattern=$2 status=0
    shift 2
    reply=$(timeout "$reply_patience" "$BUILD/server" --connect socket "$@" 2>client.err) || status=$?
    case $status in
    0 | 1) is_ready=1 && judge "$who" "$*" "$pattern" ;;
    3)
        failed "$who" "to '$*': $(cat client.err)"
        return 1
        ;;
    124)
        [ -n "$lasts" ] || wrong "no reply to '$*'"
        unsure=1
        return 1
        ;;
    *) wrong "'$*' ended with status $status: $(cat client.err)" ;;
    esac
}

# Prints the pid of the program, which may be a child of strace or our own; nothing once it has
# ended.
tracee() {
    local child=
    [ ! -e "/proc/$tracer" ] || child=$(cat "/proc/$tracer/task/$tracer/children" 2>/dev/null)
    if [[ ${tracing[0]} = strace ]]; then
        echo "${child% }"
    elif [[ -e /proc/$tracer ]]; then
        echo "$tracer"
    fi
}

# ---- the verdict

# Checks that the run left no process behind, and did not cost more than it may.
audit() {
    [[ $program != @(server|driver|control|stops) ]] || none_left
    [[ -n $killed && $status = 137 && $program != @($SIGNALLED) ]] || "audit_$program"
    [[ $program != @(control|stops) ]] || serve
    [[ $program != @(control|stops|client|words) ]] || serves
    none_left
}

# Checks that no process of the run is left. A process may outlive the program for a moment, such as
# a driver that is about to exit, but then it runs or waits for a processor. So the run is wrong
# only if all the processes that are left were found asleep twenty times.
none_left() {
    local sleeping=0 end=$((SECONDS + PATIENCE)) pids
    cd / || exit
    while pids=$(working_in "$dir") && [ -n "$pids" ]; do
        any_works "$pids" || sleeping=$((sleeping + 1))
        ((sleeping < 20 && SECONDS < end)) || wrong "left: $pids"
        pause 0.05
    done
    cd "$dir" || exit
}

any_works() {
    local pid
    for pid in $1; do
        ! in_state "$pid" R && ! in_state "$pid" D || return 0
    done
    return 1
}

judge_run() {
    if [[ $fault == */ ]]; then
        cp trace "$ROOT/build/sweep.trace.$program"
    elif [[ $program = @($SIGNALLED) && $fault = *:signal=* ]]; then
        is_reached || conclude unreached
        [ $status = 0 ] || conclude fatal "status $status"
    elif ! grep -qsE 'INJECTED|DELAYED|killed by SIGKILL' trace; then
        conclude unreached
    fi
    [ $status != 137 ] || conclude fatal
    if [ $status != 0 ]; then
        [[ $explanation == *server:* ]] || conclude WRONG 'it failed and did not say why'
        conclude fatal "$explanation"
    fi
    [[ -n $errors || $explanation == *'server: cannot'* ]] || conclude borne "$explanation"
    conclude told "$explanation"
}

conclude() {
    echo "$1 ${2-}"
    exit
}

# Concludes that the run is wrong, and kills all its processes.
wrong() {
    local log
    log=$(cat "$dir/err" 2>/dev/null)
    cd / || exit
    # shellcheck disable=SC2046 # each pid is a word
    kill -KILL $(working_in "$dir") 2>/dev/null
    conclude WRONG "$*$explanation; $log"
}

main "$@"

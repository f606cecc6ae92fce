#!/bin/bash
# One run of the sweep: runs a program with a fault, in its session, and prints a verdict on it.
#
#   run.sh PROGRAM/CALL:error=ERRNO:when=K     the K-th CALL fails (K+: and each one after it)
#   run.sh PROGRAM/CALL:signal=KILL:when=K     the program is killed there
#   run.sh PROGRAM/CALL:linked=KIND:when=K     a fault of tests/faults/inject.c
#   run.sh PROGRAM/                            no fault; keeps the trace as build/sweep.trace.PROGRAM
#
# Only sweep.sh calls it, which says what is asked of a run and prepares its surroundings: sweep.sh
# --one. Prints one line: the fault, "borne", "told", "fatal", "unreached" or "WRONG", and an
# explanation.
# shellcheck disable=SC2317 # some functions are called by a name that is put together
set -u
cd "$(dirname "$0")/../../.." || exit
source scripts/torture/lib.sh
source scripts/torture/sweep/programs.sh
BUILD=$ROOT/${SWEEP_BUILD:-.}
FAULTY=$ROOT/${SWEEP_BUILD:-build/faulty}
LIMITS=(-t 10 -g 0.5) # the reply timeout is under PATIENCE, and long enough for a loaded machine
LASTS_PATIENCE=0.5    # seconds for a reply, where a fault that lasts may withhold each one

main() {
    local verdict
    fault=$1
    program=${1%%/*}
    verdict=$(run) # where bash does not report each program that is killed
    verdict=${verdict:-WRONG no verdict}
    printf '%s %s\n' "$fault" "${verdict//$'\n'/ }"
}

# Prints the verdict, wherever the run ends.
run() {
    trap : PIPE # a write to a program that is gone fails, and the run is judged
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
        # shellcheck disable=SC2046 # words are wanted
        kill -KILL $(tracee) "$tracer"
        wrong 'it does not end'
    }
    wait "$tracer" || status=$?
    explanation+="; $(tr '\n' ' ' <err)"
    audit
    judge_run
}

# Sets what the fault tells of the run, and the state that the run begins in.
describe() {
    status=0 explanation=''
    tracer='' server='' kept='' to='' from='' reply='' first=''
    errors=''   # a line for each Error or lost connection: who paid for it
    complete='' # the session came to its end
    is_ready='' # the server in control was ready
    early=''    # and ended before it was told to
    deaf=''     # a reply was given up: the next one to come would be taken for another command's
    unsure=''   # a command was given up: nobody knows whether it had its effect
    lasts='' reply_patience=$PATIENCE
    if [[ $fault == *+ || $fault == *=termed:* ]]; then
        lasts=1 reply_patience=$LASTS_PATIENCE
    fi
    killed=''
    [[ $fault != [^d]*=@(KILL|killed):* ]] || killed=1
    blow=KILL
    [[ $fault != */kill:* ]] || blow=STOP # so that the server has to kill
    # If driver and server are killed at the same instant, or the server cannot adopt, nobody is
    # left to find what a command has started.
    orphan='sleep 50 &'
    [[ -z $killed && $fault != server/prctl:* ]] || orphan=
}

# Starts the program in the working directory. Sets tracer, the process that was started.
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

# The pid in a reply. With none in it, "none", which the server calls a bad pid.
pid_of() {
    [[ $1 =~ ^Driver\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo none
}

# failed WHO WHAT: notes what WHO, a driver or a connection, has paid; "-" counts for nobody.
failed() {
    [ "$1" = - ] || errors+="$1"$'\n'
    explanation+="; $2"
}

# judge WHO COMMAND PATTERN: the reply matches, or is an Error, which goes against WHO.
judge() {
    local who=$1 command=$2 pattern=$3
    # shellcheck disable=SC2053 # a pattern is what is wanted
    [[ $reply == $pattern ]] && return
    [[ $reply == *'Error: '* ]] || wrong "to '$command' came '$reply'"
    failed "$who" "$reply"
}

# Reads a line into $reply. Returns 1 if there is none, which only a fault that lasts excuses.
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

# expect WHO COMMAND PATTERN: says the command and reads the reply into $reply. Of a list that is
# the last line. Returns 1 if nobody answers any more.
expect() {
    { echo "$2" >&"$to"; } 2>/dev/null || return 1
    while :; do
        hear "$2" || return 1
        [[ $2 == get_drivers && $reply == Driver* ]] || break
        first=${first:-$(pid_of "$reply")}
    done
    judge "$@"
}

# ask WHO PATTERN WORD...: the same by a connection of its own. A lost connection goes against WHO.
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
    *) wrong "'$*' ends with status $status: $(cat client.err)" ;;
    esac
}

# The process under the tracer, or what it is itself; nothing once it has ended.
tracee() {
    local child=
    [ ! -e "/proc/$tracer" ] || child=$(cat "/proc/$tracer/task/$tracer/children" 2>/dev/null)
    if [[ ${tracing[0]} = strace ]]; then
        echo "${child% }"
    elif [[ -e /proc/$tracer ]]; then
        echo "$tracer"
    fi
}

# ---- what comes of it

# Checks what the run has left behind, and whether it cost more than it may.
audit() {
    [[ $program != @(server|driver|control) ]] || none_left
    [[ -n $killed && $status = 137 ]] || "audit_$program"
    [ "$program" != control ] || serve
    [[ $program != @(control|client|words) ]] || serves
    none_left
}

# Nothing of the run is left. Whatever outlives the program for a moment, such as a driver on its
# way out, has work to do: it runs, or waits for a processor. So only looks count at which all that
# is left sleeps.
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
    elif ! grep -qsE 'INJECTED|DELAYED|killed by SIGKILL' trace; then
        conclude unreached
    fi
    [ $status != 137 ] || conclude fatal
    if [ $status != 0 ]; then
        [[ $explanation == *server:* ]] || conclude WRONG 'failed without a word'
        conclude fatal "$explanation"
    fi
    [[ -n $errors || $explanation == *'server: cannot'* ]] || conclude borne "$explanation"
    conclude told "$explanation"
}

conclude() {
    echo "$1 ${2-}"
    exit
}

# Concludes that the run is wrong, and ends all that is left of it.
wrong() {
    local log
    log=$(cat "$dir/err" 2>/dev/null)
    cd / || exit
    # shellcheck disable=SC2046 # words are wanted
    kill -KILL $(working_in "$dir") 2>/dev/null
    conclude WRONG "$*$explanation; $log"
}

main "$@"

#!/bin/bash
# Makes system calls of the programs fail, one in each run, and checks the consequences.
#
#   scripts/torture/sweep.sh           a subset, in about a minute
#   scripts/torture/sweep.sh --full    every errno of sweep/faults.sh at every occurrence of its call
#   scripts/torture/sweep.sh --stops   each signal of the program "stops" at each of its calls
#   scripts/torture/sweep.sh --crashes
#                                      each crash of "batch", "rebatch", "queue", "requeue" and "crew"
#   scripts/torture/sweep.sh --one PROGRAM/CALL:error=ERRNO:when=K
#                                      one run, such as server/read:error=EIO:when=3; prints its log,
#                                      too; sweep/run.sh names the other kinds of faults
#
# The programs, each with a session of its own (sweep/programs.sh):
#
#   server    commands from standard input, two drivers
#   driver    the same session; the fault is in the first driver
#   control   a server with a control socket and a kept driver, which is killed; most commands have
#             a connection of their own, some share one that stays open
#   client    server --connect, with commands from standard input; its server has no fault
#   words     server --connect, with one command as its arguments; its server has no fault
#   stops     a server with a control socket, jobs, and clients that die in the middle of a line; it
#             gets TERM, TERM and TERM, QUIT or KILL, at any of its calls (sweep/stops.sh)
#   batch     a server that logs the jobs of its standard input. It gets KILL, TERM or INT at any of its
#             calls, or is killed in the middle of a line that it writes, or its disk is full. Then
#             another one goes on with --resume (sweep/crashes.sh)
#   rebatch   the same, but it is this second server that crashes, and a third one goes on
#   queue     a server that logs submitted jobs; some of them wait when it crashes
#   requeue   the same, but it is the second server that crashes
#   crew      the same as batch, but its first driver crashes, and then the server is killed
#
# A session first runs without a fault, under strace(1), which shows what calls the program makes,
# and how often. Then it runs again for each call, errno and occurrence: strace --inject makes that
# one call fail, or kills the program there. Faults that strace cannot inject are linked into
# special builds (tests/faults/inject.c): reads, writes, sends and receives that move a single byte;
# writes that move a part, after which the program is killed or the disk is full; a close that
# closes but fails; allocations that fail, once or from some moment on; a driver's exec that takes
# long, while the server is left alone, told to stop, or killed.
#
# Each run must
#
#   - end by itself, with status 0 or 1, unless the program is killed; also with 4 after jobs that
#     failed, and a client with 3
#   - leave no process behind
#   - answer each command with its reply or with one Error, and each job that ran with neither an
#     Error nor as unrun; each job writes a line to a file, and none does so twice
#   - report the failure, if it had any effect: in a reply, in the log or by the exit status
#   - cost at most one driver or one connection, if the server goes on
#   - remove the control socket's file, or log why it cannot; another server can listen there at
#     once, even after the first one was killed
#
# When a server has crashed and the last one has gone on from its log, each job that was taken has one
# end there. It ran once if that end is an exit or a signal, and at most once otherwise; and not
# before the log said so. What is lost is reported once, the log agrees with all replies, and no two
# jobs have the same number.
#
# A server that is ready runs until it is told to stop; only a failed epoll_wait(2) may end it. A
# client that ends with status 0 has received all replies, and no fault in a client harms its server
# or the drivers.
#
# The table at the end shows program, call, fault and number of runs, and how many of these were
# borne (no effect), told (the failure was reported), fatal to the program, or WRONG. If any run is
# WRONG, the sweep fails.
#
# SWEEP_BUILD names another build of both programs, such as build/coverage. Each of its runs writes
# its counts to a directory of its own, since the fault may spoil them.
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
source scripts/torture/sweep/faults.sh
PROGRAMS=(server driver control client words)
A_STOP='^stops/([a-z0-9_]+:signal=(TERM2?|QUIT|KILL):when=[0-9]+)?$'
A_CRASH='^(batch|rebatch|queue|requeue|crew)/([a-z0-9_]+:(error|signal|linked)=[A-Za-z]+:when=[0-9]+)?$'
A_RUN='^(server|driver|control|client|words)/([a-z0-9_]+:(error|signal|linked)=[A-Za-z]+:when=[0-9]+[+]?)?$'
RUN=$TORTURE/sweep/run.sh

main() {
    local full='' stops='' crashes='' one='' begun=$SECONDS
    case ${1-}/$# in
    /0) ;;
    --full/1) full=1 ;;
    --stops/1) stops=1 ;;
    --crashes/1) crashes=1 ;;
    --one/*)
        one=${2-}
        [[ $# = 2 && ($one =~ $A_RUN || $one =~ $A_STOP || $one =~ $A_CRASH) ]] || misused "bad run '$one'"
        ;;
    -h/* | --help/*) usage ;;
    *) misused "bad arguments '$*'" ;;
    esac
    mkdir -p build
    [ -n "${SWEEP_BUILD-}" ] || make -s all faulty || exit
    surround
    if [ -n "$one" ]; then
        "$RUN" "$one"
        return
    fi
    plan >build/sweep.plan || exit
    xargs -P $((2 * $(nproc))) -I{} "$RUN" {} <build/sweep.plan >build/sweep.results
    show_table
    ! grep WRONG build/sweep.results && [ -s build/sweep.results ] || exit 1
    echo "$(grep -cv unreached build/sweep.results) runs in $((SECONDS - begun)) s, none wrong"
}

# Prepares what the servers of all runs find: a socket that a dead server has left, and a service
# manager.
surround() {
    RUNS=$(mktemp -d) || exit # with a directory for each run
    STALE=$RUNS/stale NOTIFIED=@taxi-sweep-$$
    export RUNS STALE NOTIFIED
    perl "$TORTURE/sweep/surroundings.pl" "$STALE" "$NOTIFIED" &
    surroundings=$!
    trap 'kill "$surroundings"; rm -rf "$RUNS"' EXIT
    until [ -e "$STALE" ]; do
        ! ended "$surroundings" || exit
        pause 0.01
    done
}

# Prints all runs.
plan() {
    : >build/sweep.calls
    if [ -z "$stops$crashes" ]; then
        find_calls >build/sweep.calls && plan_injected <build/sweep.calls && plan_linked || return
    fi
    [ -n "$crashes" ] || plan_signals stops 10 TERM TERM2 QUIT KILL || return
    [ -n "$stops" ] || plan_crashes
}

# run_whole PROGRAM: runs the program without a fault.
run_whole() {
    local result
    result=$("$RUN" "$1/")
    [[ $result == "$1/ borne"* ]] || { echo "without a fault: $result" >&2; return 1; }
}

# begin_of PROGRAM: prints a pattern of the first call that is the program's own. The earlier ones are
# the dynamic loader's.
begin_of() {
    [[ $1 == @(driver|crew) ]] && echo '^getsockopt' || echo '^fcntl[(]0, F_GETFD'
}

# Runs each program without a fault, and prints for each call "PROGRAM CALL FIRST LAST": which of
# its occurrences are the program's own.
find_calls() {
    local program
    for program in "${PROGRAMS[@]}"; do
        run_whole "$program" || return
        awk -F'(' -v program="$program" -v begin="$(begin_of "$program")" '$0 ~ begin { own = 1 }
            { n[$1]++; if (own && !($1 in first)) first[$1] = n[$1] }
            END { for (call in first) print program, call, first[call], n[call] }' \
            "build/sweep.trace.$program" | sort
        # That run kills nothing, so its trace has no kill.
        [[ $program != @(server|control) ]] || echo "$program kill 1 1"
    done
}

# Prints the runs whose faults strace injects: PROGRAM/CALL:HOW=WHAT:when=K.
plan_injected() {
    local program call first last fault k step
    while read -r program call first last; do
        # The subset: the first occurrence, the last, and some between.
        step=$(((last - first) / 3 + 1))
        [ "$program" != control ] || step=$((last - first + 1))
        [[ -z $full || $program/$call == control/rt_sigaction ]] || step=1
        # shellcheck disable=SC2046 # each errno is a word
        for fault in $(printf 'error=%s\n' $(errnos "$call") | grep '=.') signal=KILL; do
            for ((k = first; k <= last; k++)); do
                ((k != first && k != last && k % step != 0)) || echo "$program/$call:$fault:when=$k"
            done
        done
    done
}

# Prints the runs whose faults are linked in: at each occurrence alone, and from some occurrences
# on.
plan_linked() {
    local program call kind last k
    for program in "${PROGRAMS[@]}"; do
        linked "$program" | while read -r call kind last; do
            for ((k = 1; k <= last; k++)); do
                echo "$program/$call:linked=$kind:when=$k"
            done
            [ "$call" = execve ] || printf '%s\n' "$program/$call:linked=$kind:when="{1,3,6}+
        done
    done
}

# plan_signals PROGRAM SOME BLOW...: prints the runs in which the program gets a signal at each of its
# calls; for the subset at about SOME of them, at others for each signal.
plan_signals() {
    local program=$1 blow first=0 step=1
    run_whole "$program" || return
    [ -n "$full$stops$crashes" ] || step=$(($(own_calls "$program" | wc -l) / $2 + 1))
    for blow in "${@:3}"; do
        own_calls "$program" | awk -v run="$program/%s:signal=$blow:when=%d\n" -v first=$first \
            -v step=$step 'NR % step == first { printf run, $1, $2 }'
        first=$((first + step / 4))
    done
}

# own_calls PROGRAM: prints each of the program's own calls, as "CALL K". A program that keeps a log
# searches /proc for what jobs have left, maybe a thousand times: so of its calls that differ in
# numbers alone, and say nothing to anybody, two count.
own_calls() {
    awk -F'(' -v begin="$(begin_of "$1")" -v all="$([ "$1" != stops ] || echo 1)" '
        $0 ~ begin { own = 1 }
        { n[$1]++; kind = /^rt_sigaction/ ? $1 : $0; gsub(/[0-9]+/, "", kind) }
        own && (all || /^(write|send|recv|epoll_wait|clone)/ || seen[kind]++ < 2) {
            print $1, n[$1] }' "build/sweep.trace.$1"
}

# Prints the runs that let a server crash at each of its calls, or in the middle of a line that it
# writes, or that fill its disk; and those that let a driver crash.
plan_crashes() {
    local program fault last step=1 k
    for program in batch rebatch queue requeue; do
        plan_signals $program 8 KILL TERM INT || return
        last=$(grep -c '^write(' build/sweep.trace.$program)
        [ -n "$full$crashes" ] || step=$((last / 3 + 1))
        for fault in error=ENOSPC linked=short linked=full linked=begun linked=torn; do
            for ((k = 1; k <= last; k += step)); do
                echo "$program/write:$fault:when=$k"
            done
        done
    done
    plan_signals crew 8 KILL
}

show_table() {
    echo "program call             fault        runs  borne   told  fatal  WRONG"
    sed -E 's,^([a-z]*)/([^:]*):[a-z]*=([^:]*):when=[0-9+]* ([^ ]*).*,\1 \2 \3 \4,' \
        build/sweep.results | sort |
        awk '$4 != "unreached" {
                 key = sprintf("%-7s %-16s %-11s", $1, $2, $3); n[key]++; v[key, $4]++
                 key = sprintf("%-7s %-16s %-11s", $1, "~ all", "~"); n[key]++; v[key, $4]++ }
             END { for (key in n) printf "%s %5d %6d %6d %6d %6d\n", key, n[key], v[key, "borne"],
                       v[key, "told"], v[key, "fatal"], v[key, "WRONG"] }' |
        LC_ALL=C sort | tr '~' ' '
    echo "killed at these calls, but none made to fail: $(while read -r _ call _; do
        [ -n "$(errnos "$call")" ] || echo "$call"; done <build/sweep.calls | sort -u | tr '\n' ' ')"
}

main "$@"

#!/bin/bash
# Runs many jobs on a pool of drivers, which get many blows, and audits the books.
#
#   scripts/torture/jobs.sh [COUNT [SEED]]         by default 10000 jobs, seed 1
#
# The number of a job determines what it does and how it must end (jobs/Plan.pm): with an exit
# status, by a signal, at its time limit, or as a shell says that there is no such program. Some
# jobs leave processes behind, and some harm their own driver. As its first deed, a job writes its
# number to a file.
#
# At random moments (jobs/blows.sh) drivers are killed, told to exit, stopped for a moment, stopped
# for longer than their job may take, slowed down, or left without any descriptor; and the server is
# stopped for a moment. It waits only 0.05 s for an answer, so many jobs must go to another driver.
#
# Then the script checks (jobs/audit.pl) that
#
#   - each job has one reply, "Job N Done RESULT", in order
#   - a job that has ended by exit or signal, ran exactly once, and that is the correct RESULT
#   - a job that did not run (unrun) has done nothing; any other one ran at most once
#   - a job of a driver that got no blow ended correctly
#   - no more jobs were lost than there were blows, or than drivers died
#   - the server's counters and its exit status agree with the replies
#   - all drivers that died were replaced, and no process is left after the server's end
#
# TEST_BUILD names another build to use, such as build/asan.
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
source scripts/torture/jobs/blows.sh
DRIVERS=16
BUILD=$ROOT/${TEST_BUILD:-.}

main() {
    check_numbers "$@"
    count=${1:-10000}
    RANDOM=${2:-1} # seeds bash's generator: each run has the same blows, at other moments
    ((count > 0)) || misused 'COUNT must be at least 1'
    [ -n "${TEST_BUILD-}" ] || make -s || exit
    start
    run_all
    audit=$(cd "$dir" && perl "$TORTURE/jobs/audit.pl" "$count") || fail "$audit"
    audit_stats
    stop
    echo "jobs: $count jobs in $((elapsed_ms / 1000)).$((elapsed_ms % 1000 / 100)) s;" \
        "$died drivers died, of $audit; books in order"
}

# Starts the server. Its working directory is $dir, as for all processes that it starts.
start() {
    dir=$(mktemp -d) || exit
    server='' dealer='' failed=''
    trap finish EXIT
    mkfifo "$dir/in" "$dir/out"
    # shellcheck disable=SC2016 # these are for the job's shell
    printf '%s\n' '#!/bin/sh' 'echo $1 $TAXI_JOB $TAXI_SLOT >>ran' 'exit $2' >"$dir/deed"
    chmod +x "$dir/deed"
    : >"$dir/unfit"
    (cd "$dir" && exec "$BUILD/server" -v -t 0.05 -g 0.2 --drivers $DRIVERS <in >out 2>err) &
    server=$!
    exec {to}>"$dir/in" {from}<"$dir/out"
}

# Gives the server all jobs, and reads the replies, while the blows are dealt.
run_all() {
    local giver begun=${EPOCHREALTIME/./}
    perl "$TORTURE/jobs/give.pl" "$count" >&"$to" {from}<&- &
    giver=$!
    deal_blows {to}>&- {from}<&- &
    dealer=$!
    for ((i = 1; i <= count; i++)); do
        hear
        echo "$reply"
    done >"$dir/replies"
    elapsed_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
    wait "$giver"
    : >"$dir/over"
    wait "$dealer"
    dealer=''
}

hear() {
    IFS= read -r -t "$PATIENCE" -u "$from" reply || fail "no reply after $((i - 1)) of $count"
}

# Checks that all drivers that died are replaced, and that the counters agree with the replies.
audit_stats() {
    local end=$((SECONDS + PATIENCE)) failures timeouts lost counters
    while
        echo stats >&"$to"
        hear
        [[ $reply != *" drivers=$DRIVERS starting=0 stopping=0 "* ]]
    do
        ((SECONDS < end)) || fail "drivers are missing: $reply"
        pause 0.02
    done
    failures=$(grep -cE ' Done (signal [0-9]+|exit [1-9][0-9]*)$' "$dir/replies")
    timeouts=$(ended_by timeout) lost=$(ended_by lost)
    counters="failures=$failures timeouts=$timeouts lost=$lost dropped=0"
    [[ $reply == *" $counters "* ]] || fail "by the replies it is $counters, but: $reply"
    (($(stat_of runs) >= count - $(ended_by unrun))) || fail "some have not run: $reply"
    died=$(stat_of died)
    ((lost <= died)) || fail "$lost were lost, but fewer drivers died: $reply"
}

ended_by() { grep -c " Done $1" "$dir/replies"; }
stat_of() { [[ $reply =~ \ $1=([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

# Ends the server by closing its input.
stop() {
    local status=0 expected=0
    ! grep -qv ' Done exit 0$' "$dir/replies" || expected=4
    exec {to}>&-
    await_end "$server" || fail 'the server does not end'
    wait "$server" || status=$?
    [ $status = $expected ] || fail "the server ended with status $status instead of $expected"
    [ -z "$(working_in "$dir")" ] || fail "processes are left: $(working_in "$dir")"
}

fail() {
    echo "jobs: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    echo "jobs: the books are in $dir" >&2
    failed=1
    exit 1
}

finish() {
    # shellcheck disable=SC2046,SC2086 # each pid is a word, and $server may be empty
    kill -KILL $server $dealer $(working_in "$dir") 2>/dev/null
    [ -n "$failed" ] || rm -rf "$dir"
}

main "$@"

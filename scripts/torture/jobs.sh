#!/bin/bash
# Runs many jobs on a pool of drivers, one of which is killed now and then, and audits the books.
#
#   scripts/torture/jobs.sh [COUNT [SEED]]         10000 jobs, seed 1
#
# Each job's number says how the job must end: with an exit status or a signal, at its limit, or not
# at all since there is no such program; some leave children behind. About one reply in a hundred is
# an occasion to kill a driver. In the end each job has one reply, in its turn and right, or the
# Error of a driver that has died, and there are no more of these than drivers were killed. No job
# ran twice, and each that is said to have run did. There are as many drivers as were to be kept;
# and, after the end, no process.
#
# TEST_BUILD names another build to use.
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
DRIVERS=8
BUILD=$ROOT/${TEST_BUILD:-.}

main() {
    check_numbers "$@"
    count=${1:-10000}
    RANDOM=${2:-1} # seeds bash's generator: the same jobs and kills, though not at the same moments
    ((count > 0)) || usage 2 >&2
    [ -n "${TEST_BUILD-}" ] || make -s || exit
    declare -gA lost=() killed=()
    start
    run_all
    audit_drivers
    audit_runs
    stop
    echo "jobs: $count jobs in $((elapsed_ms / 1000)).$((elapsed_ms % 1000 / 100)) s, $kills drivers killed," \
        "${#lost[@]} jobs lost with them; books in order"
}

# Starts the server. It and whatever it starts work in the directory.
start() {
    dir=$(mktemp -d) || exit
    server=
    trap finish EXIT
    mkfifo "$dir/in" "$dir/out"
    (cd "$dir" && exec "$BUILD/server" -t 30 --drivers $DRIVERS <in >out 2>err) &
    server=$!
    exec {to}>"$dir/in" {from}<"$dir/out"
}

# Gives the server all jobs, and reads and judges the replies. Sets kills, how many drivers were
# killed.
run_all() {
    local giver begun=${EPOCHREALTIME/./}
    give >&"$to" {from}<&- &
    giver=$!
    for ((i = 1; i <= count; i++)); do
        hear
        job_of "$i"
        if [[ $reply =~ ^Error:\ driver\ [0-9]+\ died\ \(killed\ by\ signal\ 9\)$ ]]; then
            lost[$i]=1
        elif [[ $reply != "$wanted" && ! $reply =~ ^Driver\ [0-9]+\ Done\ "$wanted"$ ]]; then
            fail "to job $i, '$job', came '$reply'"
        fi
        ((RANDOM % 100)) || kill_one
    done
    elapsed_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
    kills=${#killed[@]}
    # The list waits for nobody: a driver that is being replaced is not in it.
    hear
    while [[ $reply == 'Driver '* ]]; do hear; done
    [[ $reply =~ ^[0-9]+\ drivers?$ ]] || fail "after the last reply came '$reply'"
    wait "$giver"
}

# Says all jobs, and get_drivers after them.
give() {
    local i
    for ((i = 1; i <= count; i++)); do
        job_of "$i"
        echo "run any $limit $job"
    done
    echo get_drivers
}

# How job number $1 must end: sets job, limit and wanted. Those that the driver runs by a shell say
# that they ran.
job_of() {
    local status=$(($1 * 7 % 256)) signals=(1 2 9 10 13 14 15)
    local signal=${signals[$1 % 7]}
    local said="echo $1 >>ran;"
    case $(($1 * 31 % 16)) in
    0) job='true' wanted='exit 0' ;;
    1) job='false' wanted='exit 1' ;;
    2) job='./missing' wanted='Error: cannot run: No such file or directory' ;;
    3 | 4) job="$said kill -$signal \$\$" wanted="signal $signal" ;;
    5) job="$said sleep 1000" wanted='timeout' ;;
    6) job="$said sleep 1000 & exit $status" wanted="exit $status" ;;
    7) job="$said (setsid sleep 1000 &) ; exit $status" wanted="exit $status" ;;
    *) job="$said exit $status" wanted="exit $status" ;;
    esac
    limit=100
    [[ $wanted != timeout ]] || limit=0.05
}

hear() {
    IFS= read -r -t "$PATIENCE" -u "$from" reply || fail "no reply after $i of $count"
}

# Kills a child of the server that is still a driver.
kill_one() {
    local drivers driver
    read -r -a drivers <"/proc/$server/task/$server/children"
    ((${#drivers[@]} > 1)) || return # with none left, jobs would be refused
    driver=${drivers[RANDOM % ${#drivers[@]}]}
    [[ /proc/$driver/exe -ef $BUILD/driver ]] && kill -KILL "$driver" 2>/dev/null && killed[$driver]=1
}

# As many drivers as are kept are there again, and no more jobs were lost than drivers died.
audit_drivers() {
    local died end=$((SECONDS + PATIENCE))
    ((${#lost[@]} <= kills)) || fail "${#lost[@]} jobs lost, but $kills drivers killed"
    while
        echo stats >&"$to"
        hear
        [[ $reply != *" drivers=$DRIVERS starting=0 "* ]]
    do
        ((SECONDS < end)) || fail "$kills killed: $reply"
        pause 0.02
    done
    # Fewer may have died than were killed: what a killed driver has just forked looks like a
    # driver.
    [[ $reply =~ \ died=([0-9]+) ]]
    died=${BASH_REMATCH[1]}
    ((${#lost[@]} <= died && died <= kills)) || fail "$kills killed, ${#lost[@]} jobs lost: $reply"
}

# The file ran has the number of each job that said that it ran.
audit_runs() {
    local times
    declare -A ran=()
    while read -r i; do
        ran[$i]=$((${ran[$i]-0} + 1))
    done <"$dir/ran"
    for ((i = 1; i <= count; i++)); do
        job_of "$i"
        times=${ran[$i]-0}
        unset "ran[$i]"
        [[ $job == 'echo '* ]] || continue
        # One that its limit ends may not have come to say so.
        [[ $wanted != timeout ]] || ((times > 0)) || times=1
        ((times == 1 || (times == 0 && ${lost[$i]-0}))) || fail "job $i, '$job', ran $times times"
    done
    ((${#ran[@]} == 0)) || fail "nobody wanted: ${!ran[*]}"
}

# Ends the server by the end of its input.
stop() {
    local status=0
    exec {to}>&-
    wait "$server" || status=$?
    [ $status = 0 ] || fail "exit status $status"
    [ -z "$(working_in "$dir")" ] || fail "left: $(working_in "$dir")"
}

fail() {
    echo "jobs: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

finish() {
    # shellcheck disable=SC2046,SC2086 # words are wanted; no server, no word
    kill -KILL $server $(working_in "$dir") 2>/dev/null
    rm -rf "$dir"
}

main "$@"

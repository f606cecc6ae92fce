#!/bin/bash
# Runs many jobs on a pool of drivers, kills a driver now and then, and audits the books.
#
#   scripts/torture/jobs.sh [COUNT [SEED]]         by default 10000 jobs, seed 1
#
# The number of a job determines how it must end: with an exit status, by a signal, at its time
# limit, or with an Error since there is no such program. Some jobs leave children behind. After
# about one reply in a hundred, the script kills a driver. Then it checks that
#
#   - each job has one reply, in the right order: the correct one, or the Error of a dead driver
#   - there are no more such Errors than drivers that were killed
#   - no job ran twice, and each job that has a reply ran
#   - all drivers that died were replaced
#   - no process is left after the server's end
#
# TEST_BUILD names another build to use, such as build/asan.
set -u
cd "$(dirname "$0")/../.." || exit
source scripts/torture/lib.sh
DRIVERS=8
BUILD=$ROOT/${TEST_BUILD:-.}

main() {
    check_numbers "$@"
    count=${1:-10000}
    RANDOM=${2:-1} # seeds bash's generator: each run has the same kills, at other moments
    ((count > 0)) || misused 'COUNT must be at least 1'
    [ -n "${TEST_BUILD-}" ] || make -s || exit
    declare -gA lost=() killed=()
    start
    run_all
    audit_drivers
    audit_runs
    stop
    echo "jobs: $count jobs in $((elapsed_ms / 1000)).$((elapsed_ms % 1000 / 100)) s;" \
        "$kills drivers killed, ${#lost[@]} jobs lost with them; books in order"
}

# Starts the server. Its working directory is $dir, as for all processes that it starts.
start() {
    dir=$(mktemp -d) || exit
    server=
    trap finish EXIT
    mkfifo "$dir/in" "$dir/out"
    (cd "$dir" && exec "$BUILD/server" -t 30 --drivers $DRIVERS <in >out 2>err) &
    server=$!
    exec {to}>"$dir/in" {from}<"$dir/out"
}

# Gives the server all jobs, and reads and checks the replies. Sets kills to the number of drivers
# that were killed.
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
            fail "wrong reply to job $i, '$job': '$reply'"
        fi
        ((RANDOM % 100)) || kill_one
    done
    elapsed_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
    kills=${#killed[@]}
    # The list may be short: a driver that is being replaced is not in it.
    hear
    while [[ $reply == 'Driver '* ]]; do hear; done
    [[ $reply =~ ^[0-9]+\ drivers?$ ]] || fail "wrong reply to get_drivers: '$reply'"
    wait "$giver"
}

# Prints the commands: a run for each job, and get_drivers.
give() {
    local i
    for ((i = 1; i <= count; i++)); do
        job_of "$i"
        echo "run any $limit $job"
    done
    echo get_drivers
}

# job_of NUMBER: sets job, limit and wanted, how the job must end. Each job that needs a shell
# writes its number to the file "ran".
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

# Kills a random child of the server, if it is still a driver.
kill_one() {
    local drivers driver
    read -r -a drivers <"/proc/$server/task/$server/children"
    ((${#drivers[@]} > 1)) || return # with none left, jobs would be refused
    driver=${drivers[RANDOM % ${#drivers[@]}]}
    [[ /proc/$driver/exe -ef $BUILD/driver ]] && kill -KILL "$driver" 2>/dev/null && killed[$driver]=1
}

# Checks that all drivers that died are replaced, and that no more jobs were lost than drivers died.
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
    # Fewer drivers may have died than were killed: a child that a driver has just forked, and that
    # became the server's when its driver was killed, looks like a driver.
    [[ $reply =~ \ died=([0-9]+) ]]
    died=${BASH_REMATCH[1]}
    ((${#lost[@]} <= died && died <= kills)) || fail "$kills killed, ${#lost[@]} jobs lost: $reply"
}

# Checks how often each job ran; the file "ran" has a number for each time.
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
        # The time limit may end a job before it writes its number.
        [[ $wanted != timeout ]] || ((times > 0)) || times=1
        ((times == 1 || (times == 0 && ${lost[$i]-0}))) || fail "job $i, '$job', ran $times times"
    done
    ((${#ran[@]} == 0)) || fail "these ran, but are not our jobs: ${!ran[*]}"
}

# Ends the server by closing its input.
stop() {
    local status=0
    exec {to}>&-
    wait "$server" || status=$?
    [ $status = 0 ] || fail "the server ended with status $status"
    [ -z "$(working_in "$dir")" ] || fail "processes are left: $(working_in "$dir")"
}

fail() {
    echo "jobs: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

finish() {
    # shellcheck disable=SC2046,SC2086 # each pid is a word, and $server may be empty
    kill -KILL $server $(working_in "$dir") 2>/dev/null
    rm -rf "$dir"
}

main "$@"

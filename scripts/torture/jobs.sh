#!/bin/bash
# Runs many commands on a pool of drivers, of which one is killed now and then, and audits the books.
#
#   scripts/torture/jobs.sh [COUNT [SEED]]         10000 commands, seed 1
#
# Each command says by itself how it must end: with an exit status or a signal, at its limit, not at all
# since there is no such program; some leave children behind. About one reply in a hundred is an occasion to
# kill a driver. Then: one reply for each command, each in its turn and right, or the Error of a driver
# that has died, of which there are no more than were killed; no command was run twice, and each that is
# said to have run was; as many drivers as were to be kept; and, after the end, no process.
set -u
cd "$(dirname "$0")/../.." || exit
count=${1:-10000}
RANDOM=${2:-1} # seeds bash's generator: the same commands and kills, though not at the same moments
DRIVERS=8
PATIENCE=20
BUILD=$PWD/${TEST_BUILD:-.}

fail() {
    echo "jobs: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

# Whatever was started works in the directory, and ends with it.
left() {
    local process
    for process in /proc/[0-9]*; do
        [[ ${process#/proc/} != "$$" && $process/cwd -ef $dir && $(<"$process/stat") != *') Z '* ]] &&
            printf '%s ' "${process#/proc/}"
    done 2>/dev/null
}

finish() {
    local pid
    kill -KILL "$server" 2>/dev/null
    for pid in $(left); do kill -KILL "$pid"; done
    rm -rf "$dir"
}

# How command number $1 must end: sets command and wanted. All but those that are exec'ed directly say that
# they run.
command_of() {
    local status=$(($1 * 7 % 256)) signals=(1 2 9 10 13 14 15)
    local signal=${signals[$1 % 7]}
    local said="echo $1 >>ran;"
    case $(($1 * 31 % 16)) in
    0) command='true' wanted='exit 0' ;;
    1) command='false' wanted='exit 1' ;;
    2) command='./missing' wanted='Error: cannot run: No such file or directory' ;;
    3 | 4) command="$said kill -$signal \$\$" wanted="signal $signal" ;;
    5) command="$said sleep 1000" wanted='timeout' ;;
    6) command="$said sleep 1000 & exit $status" wanted="exit $status" ;;
    7) command="$said (setsid sleep 1000 &) ; exit $status" wanted="exit $status" ;;
    *) command="$said exit $status" wanted="exit $status" ;;
    esac
    limit=100
    [[ $wanted != timeout ]] || limit=0.05
}

give() {
    local i
    for ((i = 1; i <= count; i++)); do
        command_of "$i"
        echo "run any $limit $command"
    done
    echo get_drivers
}

# One that is a driver still, not whoever may have its pid after it.
kill_one() {
    local drivers driver
    read -r -a drivers <"/proc/$server/task/$server/children"
    ((${#drivers[@]} > 1)) || return # with none left, commands would be refused
    driver=${drivers[RANDOM % ${#drivers[@]}]}
    [[ /proc/$driver/exe -ef $BUILD/driver ]] && kill -KILL "$driver" 2>/dev/null && killed[$driver]=1
}

hear() {
    IFS= read -r -t $PATIENCE -u "$from" reply || fail "no reply after $i of $count"
}

dir=$(mktemp -d)
server=
trap finish EXIT
mkfifo "$dir/in" "$dir/out"
(cd "$dir" && exec "$BUILD/server" -t 30 --drivers $DRIVERS <in >out 2>err) &
server=$!
exec {to}>"$dir/in" {from}<"$dir/out" {idle}<> <(:) # idle: nothing ever comes from it
begun=${EPOCHREALTIME/./}
give >&"$to" {from}<&- &
giver=$!
declare -A lost=()
declare -A killed=()
for ((i = 1; i <= count; i++)); do
    hear
    command_of "$i"
    if [[ $reply =~ ^Error:\ driver\ [0-9]+\ died\ \(killed\ by\ signal\ 9\)$ ]]; then
        lost[$i]=1
    elif [[ $reply != "$wanted" && ! $reply =~ ^Driver\ [0-9]+\ Done\ "$wanted"$ ]]; then
        fail "to command $i, '$command', came '$reply'"
    fi
    ((RANDOM % 100)) || kill_one
done
elapsed_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
# The list waits for nobody: a driver that is being replaced is not in it.
kills=${#killed[@]}
hear
while [[ $reply == 'Driver '* ]]; do hear; done
[[ $reply =~ ^[0-9]+\ drivers?$ ]] || fail "after the last reply came '$reply'"
wait "$giver"
((${#lost[@]} <= kills)) || fail "${#lost[@]} commands lost, but $kills drivers killed"
for ((i = 0; i < PATIENCE * 50; i++)); do
    echo stats >&"$to"
    hear
    [[ $reply != *" drivers=$DRIVERS starting=0 "* ]] || break
    read -r -t 0.02 -u "$idle"
done
[[ $reply == *" drivers=$DRIVERS starting=0 "* ]] || fail "$kills killed: $reply"
# Fewer than were killed: what a driver that was killed has forked just then looks like a driver.
[[ $reply =~ \ died=([0-9]+) ]]
died=${BASH_REMATCH[1]}
((${#lost[@]} <= died && died <= kills)) || fail "$kills killed, ${#lost[@]} commands lost: $reply"

# Who says so in the file ran.
declare -A ran=()
while read -r i; do
    ran[$i]=$((${ran[$i]-0} + 1))
done <"$dir/ran"
for ((i = 1; i <= count; i++)); do
    command_of "$i"
    times=${ran[$i]-0}
    unset "ran[$i]"
    [[ $command == 'echo '* ]] || continue
    # One that its limit ends may not have come to say so.
    [[ $wanted != timeout ]] || ((times > 0)) || times=1
    ((times == 1 || (times == 0 && ${lost[$i]-0}))) || fail "command $i, '$command', was run $times times"
done
((${#ran[@]} == 0)) || fail "nobody wanted: ${!ran[*]}"

exec {to}>&-
wait "$server"
status=$?
[ $status = 0 ] || fail "exit status $status"
[ -z "$(left)" ] || fail "left: $(left)"
echo "jobs: $count commands in $((elapsed_ms / 1000)).$((elapsed_ms % 1000 / 100)) s, $kills drivers killed," \
    "${#lost[@]} commands lost with them; books in order"

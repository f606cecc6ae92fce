#!/bin/bash
# Deals random blows to a server and its drivers, then audits the books.
#
#   scripts/storm.sh [SECONDS [SEED]]      10 seconds, seed 1
#
# Blows: KILL, STOP, CONT and TERM to random drivers; tasks, cancels, lists, floods of questions and
# nonsense, creations and deletions to the server; signals that it ignores. Replies are read all the
# while, and counted: one for each command, each in its turn. Then, with all drivers continued: those
# that are listed are the children that live, none is a zombie, descriptors and memory are as they
# were with as many drivers at the start, nothing moves, and TERM ends it with status 0 and no driver.
set -u
cd "$(dirname "$0")/.." || exit
seconds=${1:-10}
RANDOM=${2:-1} # seeds bash's generator: the same blows, though not at the same moments
DRIVERS=8
PATIENCE=10

fail() {
    echo "storm: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

finish() {
    kill -KILL "$server" 2>/dev/null
    rm -rf "$dir"
}

# Says a command and reads its reply into $reply, and for a list the pids into $listed.
say() {
    echo "$1" >&"$to" || fail "the server is gone"
    listed=()
    while :; do
        IFS= read -r -t $PATIENCE -u "$from" reply || fail "no reply to '$1'"
        [[ $1 == get_drivers && $reply =~ ^Driver\ ([0-9]+)\ (Available|Busy|Unresponsive) ]] || break
        listed+=("${BASH_REMATCH[1]}")
    done
    said=$((said + 1))
    # A reply names what the command did, so that one that comes out of turn shows.
    case $1 in
    get_drivers) [[ $reply == "${#listed[@]} driver"* ]] ;;
    stats) [[ $reply == Stats* ]] ;;
    create_driver) [[ $reply == 'Driver '*' Available' ]] ;;
    nonsense*) [[ $reply == "Error: unknown command '$1' (try help)" ]] ;;
    *) [[ $reply =~ [Dd]river\ $driver( |$) ]] ;;
    esac || fail "to '$1' came '$reply'"
}

# Sends a signal to the driver, while it is one: not to whoever may have its pid after it.
hit() {
    grep -qx "PPid:[[:space:]]*$server" "/proc/$driver/status" 2>/dev/null &&
        kill "-$1" "$driver" 2>/dev/null
}

# Questions to all drivers at once, many times over; as many replies.
flood() {
    local i count=$((RANDOM % 500 + 1))
    for ((i = 0; i < count; i++)); do
        echo "get_status ${drivers[i % ${#drivers[@]}]}"
    done >&"$to"
    for ((i = 0; i < count; i++)); do
        IFS= read -r -t $PATIENCE -u "$from" reply || fail 'no reply in a flood'
        [[ $reply =~ [Dd]river\ ${drivers[i % ${#drivers[@]}]}( |$) ]] || fail "in a flood came '$reply'"
    done
    said=$((said + count))
}

blow() {
    driver=${drivers[RANDOM % ${#drivers[@]}]}
    case $((RANDOM % 16)) in
    0) hit KILL ;;
    1 | 2) hit STOP ;;
    3 | 4 | 5) hit CONT ;;
    6) hit TERM ;;
    7 | 8) say "send_task $driver 0.0$((RANDOM % 90 + 10))" ;;
    9) say "cancel_task $driver" ;;
    10) say get_drivers ;;
    11) say "nonsense$RANDOM" ;;
    12) flood ;;
    13) kill "-${HARMLESS[RANDOM % ${#HARMLESS[@]}]}" "$server" ;;
    14) say "delete_driver $driver" ;;
    15) say "get_status $driver" ;;
    esac
}
HARMLESS=(USR1 USR2 CHLD CONT PIPE ALRM WINCH URG TTIN TTOU 34 64)

# Continues and refreshes the drivers until there are DRIVERS again, and sets the list.
refill() {
    for driver in "${drivers[@]}"; do
        hit CONT
    done
    say get_drivers
    while ((${#listed[@]} < DRIVERS)); do
        say create_driver
        say get_drivers
    done
    drivers=("${listed[@]}")
}

descriptors() { find "/proc/$server/fd" -type l | wc -l; }
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"; }
switches() { grep ctxt "/proc/$server/status"; }

make -s || exit
dir=$(mktemp -d)
mkfifo "$dir/in" "$dir/out"
./server -t 0.05 -g 0.2 <"$dir/in" >"$dir/out" 2>"$dir/err" &
server=$!
trap finish EXIT
exec {to}>"$dir/in" {from}<"$dir/out"

drivers=() said=0
refill
flood # so that what is allocated once is
descriptors_before=$(descriptors)
memory_before=$(memory)

blows=0
end=$((SECONDS + seconds))
while ((SECONDS < end)); do
    blow
    blows=$((blows + 1))
    ((blows % 50)) || refill
done
refill

say get_drivers
children=$(tr ' ' '\n' <"/proc/$server/task/$server/children" | grep . | sort)
[ "$(printf '%s\n' "${listed[@]}" | sort)" = "$children" ] ||
    fail "listed: ${listed[*]}; alive: ${children//$'\n'/ }"
for driver in $children; do
    grep -q '^State:.*Z' "/proc/$driver/status" && fail "$driver is a zombie"
done
[ "$(descriptors)" = "$descriptors_before" ] || fail "descriptors: $descriptors_before, now $(descriptors)"
(($(memory) <= memory_before + 512)) || fail "KiB of memory: $memory_before, now $(memory)"

# Idle: once the last reply timeout is over, nothing moves.
for ((i = 0; i < 100; i++)); do
    before=$(switches)
    read -r -t 0.1 <> <(:)
    [ "$(switches)" != "$before" ] || break
done
((i < 100)) || fail 'it is never idle'

kill -TERM "$server"
timeout $PATIENCE tail --pid="$server" -f /dev/null || fail 'TERM does not end it'
wait "$server" || fail "status $?"
for driver in $children; do
    [ ! -e "/proc/$driver" ] || fail "driver $driver is left"
done
echo "storm: $blows blows in $seconds s, $said commands answered, books in order"

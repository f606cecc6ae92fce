#!/bin/bash
# Deals random blows to a server, its drivers and its clients, then audits the books.
#
#   scripts/storm.sh [SECONDS [SEED]]      10 seconds, seed 1
#
# Blows: KILL, STOP, CONT and TERM to random drivers, of which the server keeps half; tasks, cancels,
# lists, floods of questions and nonsense, creations and deletions to the server; signals that it
# ignores. At its control socket, meanwhile, clients come, ask, stay, flood, vanish and are killed
# (scripts/storm.pl). Replies are read all the while, and counted: one for each command, each in its
# turn. Then, with all drivers continued and the clients gone: those that are listed are the children
# that live, none is a zombie; each driver that was kept and was killed was replaced, and nothing else
# was; descriptors and memory are as they were with as many drivers at the start, nothing moves, and
# TERM ends it with status 0, no driver, and no socket.
set -u
cd "$(dirname "$0")/.." || exit
seconds=${1:-10}
RANDOM=${2:-1} # seeds bash's generator: the same blows, though not at the same moments
DRIVERS=8
KEPT=4
CLIENTS=4
PATIENCE=10

fail() {
    echo "storm: $*" >&2
    [ ! -s "$dir/err" ] || tail -n 5 "$dir/err" >&2
    exit 1
}

finish() {
    kill -KILL "$server" "${clients[@]}" 2>/dev/null
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

# As many drivers as at the start, once those are there that are to be replaced.
level() {
    local i
    refill
    for ((i = 0; i < 10 * PATIENCE; i++)); do
        [ "$(owed)" = 0 ] && break
        moment
    done
    [ "$(owed)" = 0 ] || fail "$(owed) drivers are not replaced"
    refill
    for driver in "${drivers[@]:DRIVERS}"; do
        say "delete_driver $driver"
    done
    say get_drivers
    drivers=("${listed[@]}")
}

# By the log: of the drivers that were kept, how many have died and were not deleted or told to exit by
# TERM, less those that were replaced; or, with an argument, which of them live.
owed() {
    awk -v kept="$KEPT" -v show="${1-}" '
        $1 == "server:" && $2 == "driver" {
            if ($4 == "started" && started++ < kept) is_kept[$3] = 1
            if ($4 == "replaces") { is_kept[$3] = 1; owed-- }
            if ($5 == "killed" || $6 == "killed") condemned[$3] = 1
            if ($4 == "died" || $4 == "ended") {
                if ($4 == "died" && $3 in is_kept && ($0 !~ /status 0/ || $3 in condemned)) owed++
                delete is_kept[$3]
                delete condemned[$3]
            }
        }
        END {
            if (!show) print owed + 0
            else for (pid in is_kept) print pid
        }' "$dir/err"
}

moment() { read -r -t 0.1 <> <(:); }
descriptors() { find "/proc/$server/fd" -type l | wc -l; }
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"; }
# Once the last reply timeout is over, nothing moves.
quiet() {
    local i before
    for ((i = 0; i < 100; i++)); do
        before=$(switches)
        moment
        [ "$(switches)" != "$before" ] || return 0
    done
    return 1
}
switches() { grep ctxt "/proc/$server/status"; }

make -s || exit
dir=$(mktemp -d)
clients=()
mkfifo "$dir/in" "$dir/out"
./server -v -t 0.05 -g 0.2 --drivers $KEPT --listen "$dir/socket" <"$dir/in" >"$dir/out" 2>"$dir/err" &
server=$!
trap finish EXIT
exec {to}>"$dir/in" {from}<"$dir/out"

drivers=() said=0
refill
flood # so that what is allocated once is
perl scripts/storm.pl ./server "$dir/socket" warm $((6 * CLIENTS)) || fail 'the clients that are first fail'
quiet || fail 'it is not idle with nothing to do'
descriptors_before=$(descriptors)
memory_before=$(memory)

for ((i = 0; i < CLIENTS; i++)); do
    perl scripts/storm.pl ./server "$dir/socket" "$RANDOM" "$dir/stop" >"$dir/client$i" 2>&1 &
    clients+=($!)
done
blows=0
end=$((SECONDS + seconds))
while ((SECONDS < end)); do
    blow
    blows=$((blows + 1))
    ((blows % 50)) || refill
done
refill

: >"$dir/stop"
for ((i = 0; i < CLIENTS; i++)); do
    wait "${clients[i]}" || fail "client $i: $(cat "$dir/client$i")"
done
clients=()
read -r answered vanished < <(awk '{ a += $1; v += $2 } END { print a, v }' "$dir"/client*)

# What is deleted is not replaced. What is killed is, after which the other would have been, too.
level
mapfile -t kept < <(owed show)
if ((${#kept[@]} > 1)); then
    driver=${kept[0]}
    say "delete_driver $driver"
    driver=${kept[1]}
    hit KILL
    for ((i = 0; i < 10 * PATIENCE; i++)); do
        grep -q "driver $driver died" "$dir/err" && [ "$(owed)" -le 0 ] && break
        moment
    done
fi
level
mapfile -t listed_kept < <(owed show)
((${#kept[@]} < 2 || ${#listed_kept[@]} == ${#kept[@]} - 1)) ||
    fail "of the ${#kept[@]} that were kept, with one deleted and one killed, ${#listed_kept[@]} are there"
say stats
[[ $reply == *" clients=1 "*" replaced=$(grep -c ' replaces one' "$dir/err") "* ]] || fail "$reply"

say get_drivers
children=$(tr ' ' '\n' <"/proc/$server/task/$server/children" | grep . | sort)
[ "$(printf '%s\n' "${listed[@]}" | sort)" = "$children" ] ||
    fail "listed: ${listed[*]}; alive: ${children//$'\n'/ }"
for driver in $children; do
    grep -q '^State:.*Z' "/proc/$driver/status" && fail "$driver is a zombie"
done
[ "$(descriptors)" = "$descriptors_before" ] || fail "descriptors: $descriptors_before, now $(descriptors)"
(($(memory) <= memory_before + 512)) || fail "KiB of memory: $memory_before, now $(memory)"

quiet || fail 'it is never idle'

kill -TERM "$server"
timeout $PATIENCE tail --pid="$server" -f /dev/null || fail 'TERM does not end it'
wait "$server" || fail "status $?"
for driver in $children; do
    [ ! -e "/proc/$driver" ] || fail "driver $driver is left"
done
[ ! -e "$dir/socket" ] || fail 'the socket is left'
echo "storm: $blows blows in $seconds s, $((said + answered)) commands answered, $answered of them to" \
    "clients that came and went, besides $vanished that vanished; books in order"

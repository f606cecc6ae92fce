#!/bin/bash
# Deals random blows to a server, its drivers and its clients, then audits the books.
#
#   scripts/torture/storm.sh [SECONDS [SEED]]      10 seconds, seed 1
#
# Blows: KILL, STOP, CONT and TERM to random drivers, of which the server keeps some; tasks, commands, cancels,
# lists, floods of questions and nonsense, creations and deletions to the server; signals that it
# ignores. At its control socket, meanwhile, clients come, ask, stay, flood, vanish and are killed
# (scripts/torture/storm.pl). Replies are read all the while, and counted: one for each command, each in its
# turn. Then, with all drivers continued and the clients gone: those that are listed are the children
# that live, none is a zombie, and of the commands that they ran nothing is left; each driver that was kept and was killed was replaced, and nothing else
# was, by the server's log, by its stats, and by what was dealt; clients that are gone wait for nothing,
# be it a task that lasts or a driver that is stopped; descriptors and memory are as they were with as
# many drivers at the start, nothing moves, and TERM ends it with status 0, no driver, and no socket.
set -u
cd "$(dirname "$0")/../.." || exit
seconds=${1:-10}
RANDOM=${2:-1} # seeds bash's generator: the same blows, though not at the same moments
DRIVERS=10
KEPT=6
POLITE_MAX=2 # of the kept, so many may be deleted or told to exit in the storm: the others are replaced
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
    case $reply in
    Driver*Deleted) deed deleted "$driver" ;;
    Driver*Available) [[ $1 != create_driver ]] || deed made "${reply//[^0-9]/}" ;;
    esac
}

# Our own book: who was made by us, and so is not kept; who was deleted, and who got KILL or TERM.
deed() {
    echo "deed $1 $2" >>"$dir/deeds"
    [ "$1" != made ] || made[$2]=1
}

# Sends a signal to the driver, while it is one: not to whoever may have its pid after it.
hit() {
    grep -qx "PPid:[[:space:]]*$server" "/proc/$driver/status" 2>/dev/null || return
    kill "-$1" "$driver" 2>/dev/null || return
    [[ $1 != KILL && $1 != TERM ]] || deed "$1" "$driver"
}

# Whether the driver may be deleted or told to exit: few of those that are kept.
dispensable() {
    [ -z "${made[$driver]-}" ] || return 0
    ((RANDOM % 8 == 0 && polite < POLITE_MAX)) && polite=$((polite + 1))
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
    case $((RANDOM % 17)) in
    0) hit KILL ;;
    1 | 2) hit STOP ;;
    3 | 4 | 5) hit CONT ;;
    6) dispensable && hit TERM ;;
    7 | 8) say "send_task $driver 0.0$((RANDOM % 90 + 10))" ;;
    9) say "cancel_task $driver" ;;
    10) say get_drivers ;;
    11) say "nonsense$RANDOM" ;;
    12) flood ;;
    13) kill "-${HARMLESS[RANDOM % ${#HARMLESS[@]}]}" "$server" ;;
    14) dispensable && say "delete_driver $driver" ;;
    15) say "get_status $driver" ;;
    16) say "run $driver 0.1 sleep 50.$STORM & exit 3" ;;
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

# until_so COMMAND...: looks until it succeeds, or fails with what it says.
until_so() {
    local i
    for ((i = 0; i < 10 * PATIENCE; i++)); do
        "$@" >/dev/null && return
        moment
    done
    fail "not so in $PATIENCE s: $* $("$@")"
}

# As many drivers as at the start, once those are there that are to be replaced.
level() {
    local spare
    refill
    until_so all_replaced
    refill
    spare=$((${#drivers[@]} - DRIVERS))
    for driver in "${drivers[@]}"; do
        ((spare > 0)) || break
        [ -n "${made[$driver]-}" ] && say "delete_driver $driver" && spare=$((spare - 1))
    done
    say get_drivers
    drivers=("${listed[@]}")
}

# books kept: the drivers that are kept and live, by the log. books owed: how many are yet to be replaced.
# books: what is wrong with the log, held against our own book: each kept driver that has died was
# deleted or got TERM, or got KILL and was replaced, nobody else was replaced, and whoever was deleted is
# gone. Its last line is how many were replaced, have died, and are kept.
books() {
    awk -v kept="$KEPT" -v show="${1-}" '
        function wrong(what) { if (!show) print what }
        function leaves(pid, how) {
            if (how == "deed deleted" || how == "TERM") {
                if (!((how == "TERM" ? how : "deleted", pid) in deeds)) wrong(pid " left, which nobody has told to")
                polite++
            } else {
                if (how != "KILL" || !(("KILL", pid) in deeds)) wrong(pid " died of " how ", which nobody has dealt")
                owed++
            }
            delete is_kept[pid]
        }
        $1 == "deed" { deeds[$2, $3] = 1; next }
        $2 != "driver" { next }
        $4 == "started" { lives[$3] = 1; if (started++ < kept) is_kept[$3] = 1 }
        $4 == "replaces" {
            if (owed-- <= 0) wrong($3 " replaces nobody")
            if (("made", $3) in deeds) wrong($3 " was made by us, and replaces one")
            is_kept[$3] = 1
            replaced++
        }
        $4 == "died" { died++ }
        $4 == "died" || $4 == "ended" {
            delete lives[$3]
            if (!($3 in is_kept)) next
            if ($4 == "ended") leaves($3, "deed deleted")
            else if (/status 0\)/) leaves($3, "TERM")
            else leaves($3, /signal 9\)/ ? "KILL" : $0)
        }
        END {
            if (show == "owed") { print owed + 0; exit }
            for (pid in is_kept) if (show == "kept") print pid; else left++
            if (show) exit
            for (deed in deeds) {
                split(deed, of, SUBSEP)
                if (of[1] == "deleted" && of[2] in lives) wrong(of[2] " was deleted, and lives")
            }
            if (owed) wrong(owed " are not replaced")
            if (left != kept - polite) wrong(left " of " kept " are kept, of which " polite " were told to go")
            print replaced + 0, died + 0, left + 0
        }' "$dir/deeds" "$dir/err"
}

all_replaced() {
    [ "$(books owed)" -le 0 ] || { echo "$(books owed) to be replaced"; return 1; }
}

# Of the drivers that are kept, one that is stopped is deleted, one gets TERM, one that is stopped and all
# others get KILL.
strike_kept() {
    local kept
    mapfile -t kept < <(books kept)
    ((${#kept[@]} == KEPT - polite || ${#kept[@]} > KEPT - POLITE_MAX)) || fail "only ${#kept[@]} are kept"
    driver=${kept[0]}
    hit STOP
    say "delete_driver $driver"
    driver=${kept[1]}
    hit TERM
    until_so has_died
    driver=${kept[2]}
    hit STOP
    for driver in "${kept[@]:2}"; do
        hit KILL
        until_so has_died
    done
    level
    ((${#kept[@]} - 2 == $(books kept | wc -l))) ||
        fail "of ${#kept[@]} that were kept, of which one was deleted and one got TERM, $(books kept | wc -l) are left"
}

has_died() { grep "driver $driver died" "$dir/err"; }

# The books, against what is listed and what the server counts. Those that are listed and were not made
# are kept.
audit() {
    local wrong died pid
    mapfile -t wrong < <(books)
    ((${#wrong[@]} == 1)) || fail "books: ${wrong[*]}"
    read -r replaced died _ <<<"${wrong[0]}"
    say stats
    [[ $reply == *" clients=1 drivers=${#drivers[@]} starting=0 stopping=0 "*" died=$died replaced=$replaced "* ]] ||
        fail "by the log $died have died and $replaced were replaced: $reply"
    say get_drivers
    for pid in "${listed[@]}"; do
        [ -n "${made[$pid]-}" ] || echo "$pid"
    done | sort | cmp -s - <(books kept | sort) ||
        fail "kept: $(books kept | tr '\n' ' '); listed: ${listed[*]}; made: ${!made[*]}"
}

# Clients that are gone wait for nothing: all drivers but one have a task that lasts, and that one is
# stopped.
forget_the_gone() {
    local busy=("${drivers[@]:1}") stopped=${drivers[0]} tasks
    for driver in "${busy[@]}"; do
        until_so is_busy
    done
    driver=$stopped
    hit STOP
    until_so is_unresponsive
    say stats
    tasks=${reply#* tasks=}
    perl scripts/torture/storm.pl ./server "$dir/socket" gone 40 "${busy[0]}" "$stopped" || fail 'the clients that go fail'
    until_so is_alone
    hit CONT
    until_so is_free
    for driver in "${busy[@]}"; do
        until_so is_free
    done
    say stats
    [ "${reply#* tasks=}" = "$tasks" ] || [[ ${reply#* tasks=} == "${tasks%% *} "* ]] ||
        fail "${tasks%% *} tasks, and then some for clients that are gone: $reply"
}

is_busy() { say "send_task $driver 1000"; echo "$reply"; [[ $reply == *' Busy '* ]]; }
is_unresponsive() { say "get_status $driver"; echo "$reply"; [[ $reply == *' not responding' ]]; }
is_alone() { say stats; echo "$reply"; [[ $reply == *' clients=1 '* ]]; }
is_free() {
    say "cancel_task $driver"
    echo "$reply"
    [[ $reply == *' Available' || $reply == *' has no task' ]]
}

moment() { read -r -t 0.1 <> <(:); }
descriptors() { find "/proc/$server/fd" -type l | wc -l; }
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"; }
# Once the last reply timeout is over, nothing moves: for a second, neither the server nor a driver.
quiet() {
    local i still=0 before
    for ((i = 0; i < 10 * PATIENCE && still < 10; i++)); do
        before=$(switches)
        moment
        [ "$(switches)" = "$before" ] && still=$((still + 1)) || still=0
    done
    ((still == 10))
}
switches() {
    local pid
    for pid in "$server" "${drivers[@]}"; do
        grep ctxt "/proc/$pid/status"
    done
}

make -s || exit
export STORM=$$ # in all that commands leave behind
dir=$(mktemp -d)
clients=()
mkfifo "$dir/in" "$dir/out"
./server -v -t 0.05 -g 0.2 --drivers $KEPT --listen "$dir/socket" <"$dir/in" >"$dir/out" 2>"$dir/err" &
server=$!
trap finish EXIT
exec {to}>"$dir/in" {from}<"$dir/out"

drivers=() said=0 polite=0
declare -A made=()
: >"$dir/deeds"
refill
flood # so that what is allocated once is
perl scripts/torture/storm.pl ./server "$dir/socket" warm $((6 * CLIENTS)) || fail 'the clients that are first fail'
forget_the_gone
quiet || fail 'it is not idle with nothing to do'
descriptors_before=$(descriptors)
memory_before=$(memory)

for ((i = 0; i < CLIENTS; i++)); do
    perl scripts/torture/storm.pl ./server "$dir/socket" "$RANDOM" "$dir/stop" >"$dir/client$i" 2>&1 &
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

level
strike_kept
(($(memory) <= memory_before + 512)) || fail "KiB of memory: $memory_before, now $(memory)"
forget_the_gone
audit

children=$(tr ' ' '\n' <"/proc/$server/task/$server/children" | grep . | sort)
for driver in $children; do
    grep -q '^State:.*Z' "/proc/$driver/status" && fail "$driver is a zombie"
done
commands=$(grep -lzs "[5]0\.$STORM" /proc/[0-9]*/cmdline) # by their arguments
[ -z "$commands" ] || fail "left of commands: ${commands//$'\n'/ }"
[ "$(printf '%s\n' "${listed[@]}" | sort)" = "$children" ] ||
    fail "listed: ${listed[*]}; alive: ${children//$'\n'/ }"
[ "$(descriptors)" = "$descriptors_before" ] || fail "descriptors: $descriptors_before, now $(descriptors)"

quiet || fail 'it is never idle'

kill -TERM "$server"
timeout $PATIENCE tail --pid="$server" -f /dev/null || fail 'TERM does not end it'
wait "$server" || fail "status $?"
for driver in $children; do
    [ ! -e "/proc/$driver" ] || fail "driver $driver is left"
done
[ ! -e "$dir/socket" ] || fail 'the socket is left'
echo "storm: $blows blows in $seconds s, $((said + answered)) commands answered, $answered of them to" \
    "clients that came and went, besides $vanished that vanished; $replaced drivers replaced; books" \
    "in order"

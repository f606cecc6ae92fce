# What must be so after the storm.
# shellcheck shell=bash

audit() {
    level
    strike_kept
    (($(memory) <= memory_before + 512)) || fail "KiB of memory: $memory_before, now $(memory)"
    forget_the_gone
    compare_books
    children=$(tr ' ' '\n' <"/proc/$server/task/$server/children" | grep . | sort)
    for driver in $children; do
        ! in_state "$driver" Z || fail "$driver is a zombie"
    done
    commands=$(grep -lzs "[5]0\.$STORM" /proc/[0-9]*/cmdline) # by their arguments
    [ -z "$commands" ] || fail "left of jobs: ${commands//$'\n'/ }"
    [ "$(printf '%s\n' "${listed[@]}" | sort)" = "$children" ] ||
        fail "listed: ${listed[*]}; alive: ${children//$'\n'/ }"
    [ "$(descriptors)" = "$descriptors_before" ] || fail "descriptors: $descriptors_before, now $(descriptors)"
    quiet || fail 'it is never idle'
}

# ---- waiting and looking

# until_so COMMAND...: waits until it succeeds, or fails with what it says.
until_so() {
    local end=$((SECONDS + PATIENCE))
    until "$@" >/dev/null; do
        ((SECONDS < end)) || fail "not so in $PATIENCE s: $* $("$@")"
        pause 0.1
    done
}

descriptors() { find "/proc/$server/fd" -type l | wc -l; }
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"; }

# Once the last reply timeout is over, neither the server nor a driver moves: not for a second.
quiet() {
    local still=0 before end=$((SECONDS + PATIENCE))
    while ((SECONDS < end && still < 10)); do
        before=$(switches "$server" "${drivers[@]}")
        pause 0.1
        [ "$(switches "$server" "${drivers[@]}")" = "$before" ] && still=$((still + 1)) || still=0
    done
    ((still == 10))
}

# ---- drivers that are kept

books() { awk -v kept="$KEPT" -v show="${1-}" -f "$TORTURE/storm/books.awk" "$dir/deeds" "$dir/err"; }

all_replaced() {
    [ "$(books owed)" -le 0 ] || { echo "$(books owed) to be replaced"; return 1; }
}

has_died() { grep "driver $driver died" "$dir/err"; }

# Gets as many drivers as at the start, once all replacements are there.
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

# Of the kept drivers, deletes one that is stopped, sends TERM to one, and KILL to all others, one
# of which is stopped.
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
        fail "of ${#kept[@]} kept drivers, one was deleted and one got TERM, but $(books kept | wc -l) are left"
}

# Holds the books against what is listed and what the server counts. The server keeps whoever is
# listed and was not made by us.
compare_books() {
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

# ---- clients that are gone

# All drivers but one have a task that lasts, and that one is stopped. Clients that would have to
# wait for them, and go, are forgotten.
forget_the_gone() {
    local busy=("${drivers[@]:1}") stopped=${drivers[0]} tasks
    for driver in "${busy[@]}"; do
        until_so is_busy
    done
    driver=$stopped
    hit STOP
    until_so is_unresponsive
    say stats
    tasks=$(tasks_of "$reply")
    perl "$TORTURE/storm/gone.pl" "$dir/socket" 40 "${busy[0]}" "$stopped" || fail 'the clients that go fail'
    until_so is_alone
    hit CONT
    until_so is_free
    for driver in "${busy[@]}"; do
        until_so is_free
    done
    say stats
    [ "$(tasks_of "$reply")" = "$tasks" ] || fail "$tasks tasks, and then some for clients that are gone: $reply"
}

tasks_of() { [[ $1 =~ \ tasks=([0-9]+)\  ]] && echo "${BASH_REMATCH[1]}"; }
is_busy() { say "send_task $driver 1000"; echo "$reply"; [[ $reply == *' Busy '* ]]; }
is_unresponsive() { say "get_status $driver"; echo "$reply"; [[ $reply == *' not responding' ]]; }
is_alone() { say stats; echo "$reply"; [[ $reply == *' clients=1 '* ]]; }
is_free() {
    say "cancel_task $driver"
    echo "$reply"
    [[ $reply == *' Available' || $reply == *' has no task' ]]
}

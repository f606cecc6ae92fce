# Checks what must be true after the storm.
# shellcheck shell=bash

audit() {
    level
    strike_kept
    (($(memory) <= memory_before + 512)) ||
        fail "memory: $memory_before KiB before, $(memory) KiB now"
    forget_the_gone
    compare_books
    children=$(tr ' ' '\n' <"/proc/$server/task/$server/children" | grep . | sort)
    for driver in $children; do
        ! in_state "$driver" Z || fail "$driver is a zombie"
    done
    commands=$(grep -lzs "[5]0\.$STORM" /proc/[0-9]*/cmdline)
    [ -z "$commands" ] || fail "left over from jobs: ${commands//$'\n'/ }"
    [ "$(printf '%s\n' "${listed[@]}" | sort)" = "$children" ] ||
        fail "listed: ${listed[*]}; alive: ${children//$'\n'/ }"
    say wait # also for jobs that clients have submitted
    jobs=$(perl "$TORTURE/storm/deeds.pl" "$RAN" "$dir"/book*) || fail "$jobs"
    [ "$(descriptors)" = "$descriptors_before" ] ||
        fail "descriptors: $descriptors_before before, $(descriptors) now"
    quiet || fail 'the server is never idle'
}

# ---- waiting and looking

# until_so COMMAND...: repeats the command until it succeeds. If it never does, fails with its
# output.
until_so() {
    local end=$((SECONDS + PATIENCE))
    until "$@" >/dev/null; do
        ((SECONDS < end)) || fail "not true within $PATIENCE s: $* $("$@")"
        pause 0.1
    done
}

descriptors() { find "/proc/$server/fd" -type l | wc -l; }
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"; }

# Waits until neither the server nor a driver has run for a second. The last reply timeout may still
# have to pass.
quiet() {
    local still=0 before end=$((SECONDS + PATIENCE))
    while ((SECONDS < end && still < 10)); do
        before=$(switches "$server" "${drivers[@]}")
        pause 0.1
        [ "$(switches "$server" "${drivers[@]}")" = "$before" ] && still=$((still + 1)) || still=0
    done
    ((still == 10))
}

# ---- kept drivers

books() { awk -v kept="$KEPT" -v show="${1-}" -f "$TORTURE/storm/books.awk" "$dir/deeds" "$dir/err"; }

all_replaced() {
    [ "$(books owed)" -le 0 ] || { echo "$(books owed) not replaced yet"; return 1; }
}

has_died() { grep "driver $driver died" "$dir/err"; }

# Once all replacements are there, deletes or creates drivers until there are as many as at the
# start.
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

# Stops one of the kept drivers and deletes it; sends TERM to another one; stops a third; then sends
# KILL to the third and to all others.
strike_kept() {
    local kept
    mapfile -t kept < <(books kept)
    ((${#kept[@]} == KEPT - deleted || ${#kept[@]} > KEPT - DELETE_MAX)) || fail "only ${#kept[@]} are kept"
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
    ((${#kept[@]} - 1 == $(books kept | wc -l))) ||
        fail "of ${#kept[@]} kept drivers, one was deleted; $(books kept | wc -l) are left"
}

# Compares the books with the server's list and counters. A listed driver that we did not create
# must be a kept one.
compare_books() {
    local wrong died pid
    mapfile -t wrong < <(books)
    ((${#wrong[@]} == 1)) || fail "books: ${wrong[*]}"
    read -r replaced died _ <<<"${wrong[0]}"
    say stats
    [[ $reply == *" clients=1 drivers=${#drivers[@]} starting=0 stopping=0 "*" died=$died replaced=$replaced "* ]] ||
        fail "the log says that $died drivers died and $replaced were replaced, but: $reply"
    say get_drivers
    for pid in "${listed[@]}"; do
        [ -n "${made[$pid]-}" ] || echo "$pid"
    done | sort | cmp -s - <(books kept | sort) ||
        fail "kept: $(books kept | tr '\n' ' '); listed: ${listed[*]}; made: ${!made[*]}"
}

# ---- clients that have gone

# All drivers but one get a long task, and that one is stopped. Checks that the server forgets
# clients that go while they wait for a driver.
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
    perl "$TORTURE/storm/gone.pl" "$dir/socket" 40 "${busy[0]}" "$stopped" ||
        fail 'the clients that go failed'
    until_so is_alone
    hit CONT
    until_so is_free
    for driver in "${busy[@]}"; do
        until_so is_free
    done
    say stats
    [ "$(tasks_of "$reply")" = "$tasks" ] ||
        fail "after $tasks tasks, clients that have gone got one: $reply"
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

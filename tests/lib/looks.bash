# What can be seen of a server from outside: its counters, its deadlines, its descriptors. And
# puppets, drivers that follow a script.
# shellcheck shell=bash

: "${HELPERS:=$ROOT/build/tests}" # the programs of tests/lib/*.c
# Seconds that a slow machine may need; a test that passes does not wait for them.
((DEADLINE >= 30)) || DEADLINE=30

# puppet NAME STEP...: a program for --driver; see tests/lib/puppet.c.
puppet() {
    printf '#!/bin/sh\nexec %q' "$HELPERS/puppet" >"$1"
    printf ' %q' "${@:2}" >>"$1"
    chmod +x "$1"
}

# field KEY: asks the server, by a signal, to log its stats, and prints the number that they have
# for KEY. The server's log must go to the file err.
field() {
    logged_stats && [[ $stats == *" $1="* ]] || return
    stats=${stats##* "$1="}
    echo "${stats%%[!0-9]*}"
}

# stays KEY N: once the server sleeps, the stats have N for KEY.
stays() {
    local number
    wait_until in_state "$server_pid" S || return
    number=$(field "$1") || return
    ((number == $2)) || fail "$1 is $number, not $2"
}

# becomes KEY N: the stats have N for KEY, in time.
becomes() {
    wait_until field_is "$@"
}

field_is() {
    (($(field "$1") == $2))
}

# timer_ms [PID]: prints the milliseconds until the timer of that process, by default the server,
# expires (its earliest deadline); 0 if it is not armed or has expired.
timer_ms() {
    local info text field='(0, 0)' nanoseconds
    for info in "/proc/${1-$server_pid}/fdinfo/"*; do
        read_text "$info"
        ! field_of "$text" it_value || break
    done
    nanoseconds=${field##* }
    field=${field%%,*}
    echo $((${field#(} * 1000 + ${nanoseconds%)} / 1000000))
}

# No deadline runs. A test must not ask right after a reply: the timer is set at the end of the turn
# that sends it.
no_deadline() {
    (($(timer_ms) == 0))
}

# deadline_is MS SINCE [PID]: the earliest deadline was MS away when it was set, at SINCE (an
# uptime_ms) or later.
deadline_is() {
    local left
    left=$(timer_ms "${3-$server_pid}")
    ((left <= $1 && left >= $1 - ($(uptime_ms) - $2) - 20)) || fail "the timer has $left ms left, of $1"
}

# is_at_rest: no deadline runs, and the server sleeps and goes on sleeping.
is_at_rest() {
    local before
    before=$(switches "$server_pid")
    in_state "$server_pid" S && no_deadline && pause && pause && [[ $(switches "$server_pid") == "$before" ]]
}

# one_turn_later: the server has finished the turn in which it sent the last reply.
one_turn_later() {
    say fly
    expect "Error: unknown command 'fly' (try help)"
}

# descriptors PID: prints a line for each descriptor of the process: its number and what it is.
descriptors() {
    local fd
    for fd in "/proc/$1/fd/"*; do
        printf '%s %s\n' "${fd##*/}" "$(readlink "$fd")"
    done
}

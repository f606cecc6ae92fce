#!/usr/bin/env bats
# Several servers may want to replace a dead one that has left its control socket: the directory is
# locked from the check of the old socket until the new server listens.

load lib/helpers
load lib/looks

dead_socket() {
    start_listening
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
}

# The server waits for a lock, see proc(5).
waits_for_lock() {
    grep -qE "^[0-9]+: -> FLOCK +ADVISORY +WRITE $server_pid " /proc/locks
}

waits_or_listens() {
    waits_for_lock || control stats >/dev/null 2>&1
}

@test "takeover: a dead server's socket is left alone while the directory is locked" {
    dead_socket
    before=$(stat -c '%d %i' taxi.sock)
    exec {lock}<.
    flock -x "$lock"
    start_server --listen taxi.sock
    wait_until waits_or_listens
    waits_for_lock
    [ "$(stat -c '%d %i' taxi.sock)" = "$before" ]
    flock -u "$lock"
    exec {lock}<&-
    say get_drivers
    expect '0 drivers'
    run -0 control get_drivers
}

@test "takeover: the directory is locked until the new server listens, and no longer" {
    command -v strace >/dev/null || skip 'no strace to see the order of calls with'
    dead_socket
    start strace -D -qq -o trace -e trace=openat,flock,unlink,bind,listen,close "$SERVER" --listen taxi.sock
    say get_drivers
    expect '0 drivers'
    directory=$(sed -n 's/^openat(AT_FDCWD, "\.".* = \([0-9]*\)$/\1/p' trace)
    order=$(sed -nE "s/^(flock|unlink|bind|listen)\(.*/\1/p; s/^close\($directory\).*/close/p" trace |
        sed '/flock/,$!d' | head -n 5 | tr '\n' ' ')
    [ "$order" = 'flock unlink bind listen close ' ] || fail "$order"
    exec {lock}<.
    flock -n -x "$lock"
    kill -TERM "$server_pid"
}

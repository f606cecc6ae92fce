#!/usr/bin/env bats
# What the server is started with: signals, descriptors, limits, a process id of 1.

load helpers

@test "descriptors 0, 1 and 2 closed, in any combination: ends by itself, with 0 or 1" {
    for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
        run timeout 30 bash -c "printf 'create_driver\nget_drivers\n' | '$SERVER' $closed"
        if [[ $closed == '2>&-' ]]; then
            [ "$status" = 0 ]
            [[ $output == 'Driver '*'1 driver' ]]
        else
            [ "$status" = 1 ]
        fi
    done
}

@test "signals blocked by whoever started the server: all work" {
    command -v perl >/dev/null || skip 'no perl to block signals with'
    start perl -MPOSIX -e '
        my $all = POSIX::SigSet->new; $all->fillset;
        POSIX::sigprocmask(SIG_SETMASK, $all); exec @ARGV' "$SERVER"
    create
    kill -KILL "$pid"
    wait_until logged "driver $pid died"
    kill -TERM "$server_pid"
    server_ends 0
}

@test "extra descriptors reach no driver" {
    start_after 'exec 5</etc/passwd 17</etc/passwd 100</etc/passwd'
    create
    run ! grep -q passwd <(readlink "/proc/$pid/fd/"*)
    readlink "/proc/$server_pid/fd/"* | grep -q passwd # it had them to pass on
}

@test "no process left: create_driver says so, and the rest works on" {
    [ "$(id -u)" = 0 ] || skip 'only root can change to a user without processes'
    command -v setpriv >/dev/null || skip 'no setpriv'
    # A user that has no other process: the limit counts all of a user's.
    chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* .
    cp "$SERVER" "$DRIVER" .
    start prlimit --nproc=3 setpriv --reuid=64999 --regid=64999 --clear-groups ./server
    say 'create_driver 5' get_drivers
    expect 'Driver * Available' 'Driver * Available' \
        'Error: cannot create driver: Resource temporarily unavailable' '2 drivers' \
        'Driver * Available' 'Driver * Available' '2 drivers'
}

@test "process 1 of a pid namespace: orphans are reaped, TERM works" {
    unshare --fork --pid --mount-proc true 2>/dev/null || skip 'no pid namespace to be had'
    # unshare's child becomes process 1; an orphan of its own is its child before it is the server.
    start unshare --fork --pid --mount-proc --kill-child bash -c "
        (sleep 0.2 & exec true); exec '$SERVER'"
    unshare_pid=$server_pid
    say create_driver
    expect 'Driver +([0-9]) Available'
    wait_until has_one_child
    say get_drivers
    expect 'Driver * Available' '1 driver'
    kill -TERM "$server_pid"
    wait_until ended "$unshare_pid"
    wait "$unshare_pid"
}

# Process 1, seen from outside, has the driver as its only child: the orphan was reaped.
has_one_child() {
    server_pid=$(children_of "$unshare_pid")
    server_pid=${server_pid% }
    [ "$(children_of "$server_pid" | wc -w)" = 1 ]
}

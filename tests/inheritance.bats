#!/usr/bin/env bats
# What the server inherits: signals, descriptors, limits, children, the process id 1.

load lib/helpers

@test "descriptors: with any of 0, 1 and 2 closed, the server ends by itself, with status 0 or 1" {
    for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
        run timeout 120 bash -c "printf 'create_driver\nget_drivers\n' | '$SERVER' $closed"
        if [[ $closed == '2>&-' ]]; then
            [ "$status" = 0 ]
            [[ $output == 'Driver '*'1 driver' ]]
        else
            [ "$status" = 1 ]
        fi
    done
}

@test "descriptors: a standard error that is closed is /dev/null, and no socket gets its number" {
    start_after 'exec 2>&-'
    create
    [ "$(readlink "/proc/$server_pid/fd/2")" = /dev/null ]
}

@test "signals: all work, even if they were blocked when the server was started" {
    start "$LIB/hinder-signals.pl" "$SERVER"
    create
    kill -KILL "$pid"
    wait_until logged "driver $pid died"
    kill -TERM "$server_pid"
    server_ends 0
}

@test "descriptors: inherited ones beyond 0, 1 and 2 reach no driver" {
    start_after 'exec 5</etc/passwd 17</etc/passwd 100</etc/passwd'
    create
    run ! grep -q passwd <(readlink "/proc/$pid/fd/"*)
    readlink "/proc/$server_pid/fd/"* | grep -q passwd # but the server has them
}

@test "descriptors: a server starts even if the inherited ones leave only one number below the soft limit" {
    # A program needs that one to load its libraries.
    start_after 'for fd in {3..18}; do eval "exec $fd</dev/null"; done; ulimit -Sn 20'
    create
    say quit
    server_ends 0
}

@test "processes: at the user's limit, create_driver says so, and the rest works on" {
    # The limit counts all of a user's processes, so this must be a user without any.
    become_other
    start prlimit --nproc=3 "${as_other[@]}" ./server
    say 'create_driver 5' get_drivers
    expect 'Driver * Available' 'Driver * Available' \
        'Error: cannot create driver: Resource temporarily unavailable' '2 drivers' \
        'Driver * Available' 'Driver * Available' '2 drivers'
}

@test "process 1: in a pid namespace, orphans are reaped and TERM works" {
    needs_pid_namespace --mount-proc
    # unshare's child is process 1; it adopts an orphan and then becomes the server.
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

# Process 1, seen from outside, has only the driver as a child: the orphan was reaped.
has_one_child() {
    is_process_1
    has_children 1
}

@test "process 1: in a pid namespace, an inherited child in the server's session is left alone" {
    needs_pid_namespace --mount-proc
    start unshare --fork --pid --mount-proc --kill-child bash -c "sleep 1000 & exec '$SERVER' ${PATIENT[*]}"
    unshare_pid=$server_pid
    create
    say "run $pid 100 true"
    expect "Job 1 Done exit 0"
    wait_until is_process_1
    for child in $(children_of "$server_pid"); do
        case $(readlink "/proc/$child/exe") in
        */driver) driver=$child ;;
        *) stranger=$child ;;
        esac
    done
    kill -KILL "$driver"
    wait_until logged "driver $pid died"
    say get_drivers
    expect '0 drivers'
    alive "$stranger"
    kill -TERM "$server_pid"
    wait_until ended "$unshare_pid"
}

@test "pid namespace: a server whose drivers would be in another one says so and does not start" {
    needs_pid_namespace
    # A leak checker, which needs a process of its own, would hang there.
    ASAN_OPTIONS=detect_leaks=0 run -1 --separate-stderr unshare --pid "$SERVER" --drivers 1 <<<create_driver
    [ "$output" = '' ]
    [ "$stderr" = 'server: cannot start drivers: they would be in another pid namespace (unshare -p needs -f)' ]
}

is_process_1() {
    server_pid=$(children_of "$unshare_pid")
    server_pid=${server_pid% }
    [[ -n $server_pid ]]
}

@test "children: with an inherited one, what a killed driver's job leaves in its session is ended" {
    start_after "sleep 1000 & echo \$! >stranger; exec '$SERVER' ${PATIENT[*]} -v"
    create
    stranger=$(cat stranger)
    started+=("$stranger")
    say "run $pid 100 $LIB/leave.pl groups"
    wait_until test -e left
    wait_until logged "^server: job 1 runs on driver $pid as process " # so the server knows its session
    kill -KILL "$pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
    left_ends
    alive "$stranger"
    kill -KILL "$stranger" # before the server, its parent
}

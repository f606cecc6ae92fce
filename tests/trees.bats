#!/usr/bin/env bats
# The processes of a job as a tree: it is stopped and then killed, however fast it grows; what the
# server does without a /proc of its own; and what it says of processes that cannot be ended.

load lib/helpers

# bomb_for PID SECONDS: the driver runs a fork bomb of 200 processes, see tests/lib/bomb.c. Waits
# until all are up. They are nice, since other tests run beside this one.
bomb_for() {
    cp "$HELPERS/bomb" .
    say "run $1 $2 exec nice -n 10 ./bomb 200"
    wait_until test -e up
}

bombs() {
    find /proc/[0-9]*/exe -lname "$PWD/bomb" 2>/dev/null | cut -d / -f 3
}

bomb_is_gone() {
    [ -z "$(bombs)" ]
}

# Stops and kills what is left of a bomb, like the programs under test.
disarm() {
    local before='' now
    until bomb_is_gone; do
        now=$(bombs | xargs)
        # shellcheck disable=SC2086
        kill -STOP $now 2>/dev/null || true
        # shellcheck disable=SC2086
        [[ $now != "$before" ]] || kill -KILL $now 2>/dev/null || true
        before=$now
    done
}

teardown() {
    disarm
    end_started
}

@test "trees: a fork bomb is gone after its limit" {
    start_server -g 0.2
    create
    for limit in 0.5 2 8 32; do # another try with more time if it was not up
        rm -f up places
        bomb_for "$pid" $limit &
        waiter=$!
        expect "Job +([0-9]) Done @(timeout|lost driver *)" # lost: the machine is too busy
        kill "$waiter" 2>/dev/null || true
        ! grep -q 'did not end its job in time' err || wait_until bomb_is_gone # the same
        bomb_is_gone
        [[ ! -e up ]] || break
    done
    [ -e up ]
    log_is "server: job +([0-9]) *" "server: driver +([0-9]): *: killed" "server: driver +([0-9]) *"
}

@test "trees: a fork bomb is gone after cancel_task" {
    start_server -g 0.2
    create
    bomb_for "$pid" 1000
    say "cancel_task $pid"
    # On a machine that is too busy the driver may be too slow to answer, but it ends the job.
    expect "Job +([0-9]) Done cancelled" "@(Driver $pid Available|Error: driver $pid is not responding)"
    bomb_is_gone
    log_is "server: job +([0-9]) *" "server: driver +([0-9]): *: killed" "server: driver +([0-9]) *"
}

@test "trees: a fork bomb is gone after a stop of the server" {
    start_server -g 0.2
    create
    bomb_for "$pid" 1000
    kill -TERM "$server_pid"
    server_ends 4
    # If the machine is too busy, the log reports what the stop could not end.
    bomb_is_gone || logged '^server: could not be ended and are left: [0-9 ]+$'
}

@test "trees: a fork bomb is gone after kill -9 of its driver" {
    start_server
    create
    bomb_for "$pid" 1000
    kill -KILL "$pid"
    expect "Job +([0-9]) Done lost driver $pid died (killed by signal 9)"
    wait_until bomb_is_gone
    wait_until has_children 0
}

@test "trees: a fork bomb is gone after kill -9 of the server" {
    start_server
    create
    bomb_for "$pid" 1000
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    wait_until bomb_is_gone
}

# unstoppable: the driver's job leaves processes that do not stay stopped, while others come to their
# end. So the driver or server that ends the job cannot wait until all are stopped.
unstoppable() {
    say "run $pid 1000 $LIB/unstoppable.pl"
    wait_until test -e left -a -e pids
    left=$(cat left)
    "$LIB/continue.pl" "$left" pids 3>&- {to}>&- {from}<&- &
    started+=("$!")
}

# They have ended. Kills what is left of them.
unstoppable_ends() {
    local pid lost=''
    for pid in "$left" $(cat pids); do
        [[ $lost ]] || wait_until ended "$pid" || lost=$pid
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
    [[ ! $lost ]] || fail "left: $lost"
}

@test "trees: what cannot be stopped is killed as well when the server is gone" {
    start_server
    create
    unstoppable
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    unstoppable_ends
}

# The server has a second for that. On a loaded machine that may be too short, but not each time; it then
# says what is left.
@test "trees: what cannot be stopped is killed as well when the server must stop at once" {
    for _ in {1..5}; do
        start_server -g 1000
        create
        unstoppable
        kill -QUIT "$server_pid"
        server_ends 4
        grep -q '^server: could not be ended and are left: ' err || break
        for pid in "$left" $(cat pids); do
            kill -KILL -- "-$pid" 2>/dev/null || true
        done
        wait_until ended "$left"
        rm left pids
        hang_up
    done
    unstoppable_ends
    log_is 'server: 1 job cancelled' 'server: job +([0-9]) *' '* Killed *'
}

# in_namespace OPTION...: starts a server that is process 1 of a pid namespace, with the /proc of
# the outer one.
in_namespace() {
    needs_pid_namespace
    start unshare --fork --pid --kill-child "$SERVER" "${PATIENT[@]}" "$@"
    unshare_pid=$server_pid
    create
    server_pid=$(children_of "$unshare_pid")
    server_pid=${server_pid% }
}

namespace_ends() {
    say shutdown
    wait_until ended "$unshare_pid"
    status=0
    wait "$unshare_pid" || status=$?
    ((status == 0 || status == 4))
    [ "$(grep -c 'no /proc of our own' err)" = 1 ]
}

# Each way in which jobs end, where only their process groups can be found. The others write their
# pids to the file escaped.
ends_as_groups() {
    local escape="setsid sh -c 'echo \$\$ >>escaped; exec sleep 1000'"
    local deaf="trap '' TERM; $escape & echo >up; read x <never"
    mkfifo never
    say 'run any 1000 exit 3' 'run any 1000 sleep 1000 & exit 4' "run any 1000 $escape & exit 5"
    expect "Job +([0-9]) Done exit 3" "Job +([0-9]) Done exit 4" "Job +([0-9]) Done exit 5"
    say "run any 0.1 $deaf" 'run any 1000 exit 6'
    expect "Job +([0-9]) Done timeout" "Job +([0-9]) Done exit 6"
    rm -f up
    say "run any 1000 $deaf"
    wait_until test -e up
    say "cancel_task $pid"
    expect "Job +([0-9]) Done cancelled" "Driver $pid Available"
    rm up
    say "run any 1000 $deaf"
    wait_until test -e up
}

@test "trees: with the /proc of an outer pid namespace, jobs end in bounded time" {
    in_namespace -g 0.1
    ends_as_groups
    namespace_ends
    # On a busy machine the driver may be too slow for its grace period.
    log_is 'server: no /proc of our own*' 'server: 1 job cancelled' 'server: job +([0-9]) *' \
        'server: driver +([0-9]) did not exit in time: killed'
}

@test "trees: without a /proc, jobs end in bounded time, and the server says once what it cannot find" {
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a sanitizer needs a /proc'
    unshare --mount mount -t tmpfs none /proc 2>/dev/null || skip 'no mount namespace to be had'
    start unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$@"' sh \
        "$SERVER" "${PATIENT[@]}" -d "$DRIVER" -g 0.1
    create
    ends_as_groups
    say shutdown
    expect "Job +([0-9]) Done cancelled"
    server_ends 4
    mapfile -t escaped <escaped
    kill -KILL "${escaped[@]}"
    [ "$(grep -c 'no /proc of our own' err)" = 1 ]
    # On a busy machine the driver may be too slow for its grace period.
    log_is 'server: no /proc of our own*' 'server: 1 job cancelled' 'server: job +([0-9]) *' \
        'server: driver +([0-9]) did not exit in time: killed'
}

# Prints, to the file $1, its own number in the /proc that there is, and then sleeps.
sleeper() {
    echo "exec setsid sh -c 'read n x </proc/self/stat; echo \$n >new.$1; mv new.$1 $1; exec sleep 1000'"
}

@test "trees: with the /proc of an outer pid namespace, a stranger with the same number survives" {
    in_namespace
    mkfifo gate
    say "run $pid 1000 $(sleeper left) & read x <gate"
    wait_until test -e left
    # A process gets the number in the namespace that what the job leaves has outside.
    nsenter --target "$server_pid" --pid "$LIB/numbered.pl" "$(cat left)" \
        sh -c "$(sleeper stranger)" 3>&- || skip 'pids cannot be chosen here'
    wait_until test -e stranger
    open_gate
    expect "Job +([0-9]) Done exit 0"
    alive "$(cat stranger)"
    namespace_ends
}

@test "trees: with the /proc of an outer pid namespace, a killed driver's job is killed as a group" {
    in_namespace -v
    say "run $pid 1000 sh -c 'read n x </proc/self/stat; echo \$n >left; exec sleep 1000' & sleep 1000"
    wait_until test -s left
    wait_until logged "runs on driver $pid as process" # so the server knows its group
    nsenter --target "$server_pid" --pid kill -KILL "$pid"
    expect "Job +([0-9]) Done lost driver $pid died (killed by signal 9)"
    left_ends
    namespace_ends
}

# hold PID: nobody can reap the process until the test lets it go.
hold() {
    mkfifo hold
    "$HELPERS/hold" "$1" <hold >held 2>held.err 3>&- &
    holder=$!
    started=("$holder" "${started[@]}")
    exec {hold}>hold
    wait_until test -s held -o -s held.err
    [ -s held ] || skip "$(cat held.err)"
}

@test "trees: a stop says which driver cannot be reaped, and ends" {
    start_server -g 0.1
    create_many 2
    hold "${pids[1]}"
    say "send_task ${pids[1]} 1000"
    expect "Driver ${pids[1]} Busy 1000"
    say "delete_driver ${pids[1]}"
    kill -TERM "$server_pid"
    expect 'Error: server is stopping'
    server_ends 0
    logged "^server: could not be ended and are left: ${pids[1]}\$"
    exec {hold}>&-
    wait_until gone "${pids[1]}"
}

@test "trees: a second TERM does not wait for a driver that cannot be reaped" {
    start_server -g 1000
    create
    hold "$pid"
    kill -TERM "$server_pid"
    wait_until ended "$pid"
    kill -TERM "$server_pid"
    server_ends 0
    logged "^server: could not be ended and are left: $pid\$"
    exec {hold}>&-
}

@test "trees: a stop says which process of a job cannot be reaped, and ends" {
    start_server -g 0.1
    create
    say "run $pid 1000 setsid sh -c 'echo \$\$ >left; exec sleep 1000' & sleep 1000"
    wait_until test -s left
    hold "$(cat left)"
    kill -TERM "$server_pid"
    server_ends 4
    logged "^server: could not be ended and are left: $(cat left)\$"
    exec {hold}>&-
}

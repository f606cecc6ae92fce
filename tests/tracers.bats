#!/usr/bin/env bats
# A process of a job attaches to the job's driver as a debugger does. The driver may be stopped, and
# when it is dead nobody can reap it before that process ends.

load lib/helpers

# traced seize|stop|exit|calls|traps [COMMAND]: the driver has a job, and a process of the job that is deaf
# to TERM holds the driver, see tests/lib/hold.c. COMMAND, by default setsid, starts it. Sets tracer.
traced() {
    rm -f new go held.err
    [[ -p never ]] || mkfifo never
    say "run $pid 1000 ${2-setsid} bash -c 'trap \"\" TERM; echo \$\$ >new; until [ -e go ]; do sleep 0.01; done; exec $HELPERS/hold $pid $1 <>never 2>held.err >tracer.\$\$' & sleep 1000"
    wait_until test -s new
    [[ ${2-setsid} = setsid ]] || wait_until logged "runs on driver $pid as process" # so the server knows its session
    touch go
    wait_until held
    [[ ! -s held.err ]] || skip "$(cat held.err)"
    tracer=$(cat new)
    [ "$1" != stop ] || wait_until in_state "$pid" t
}

teardown() {
    [[ ! -s new || ! /proc/$(<new)/exe -ef $HELPERS/hold ]] || kill -KILL "$(<new)"
    end_started
}

held() {
    [[ -s held.err ]] || grep -qs held tracer.*
}

all_gone() {
    gone "$tracer" || fail "the tracer is there: $process_state"
    gone "$pid" || fail "the driver is there: $process_state"
    rm tracer.*
}

@test "tracers: one TERM ends the server and all else" {
    for how in seize stop exit; do
        start_server -g 0.2
        create
        traced $how
        kill -TERM "$server_pid"
        server_ends 4
        all_gone
        log_is "server: driver $pid did not exit in time: killed" 'server: 1 job cancelled'
        hang_up
    done
}

@test "tracers: a second TERM ends the server and all else at once" {
    for how in seize stop exit; do
        start_server -g 1000
        create
        traced $how
        kill -TERM "$server_pid"
        # The driver has read EXIT, or is stopped.
        [ $how = stop ] || wait_until is_asked
        wait_until has_read_signals "$server_pid" # two that are pending would be one
        kill -TERM "$server_pid"
        server_ends 4
        all_gone
        log_is 'server: 1 job cancelled'
        hang_up
    done
}

# The job's first process has got TERM.
is_asked() {
    [[ $(children_of "$pid") != *' '*' ' ]]
}

@test "tracers: QUIT ends the server and all else at once" {
    for how in seize stop exit; do
        start_server -g 1000
        create
        traced $how
        kill -QUIT "$server_pid"
        server_ends 4
        all_gone
        log_is 'server: 1 job cancelled'
        hang_up
    done
}

@test "tracers: delete_driver deletes the driver, and the server goes on" {
    start_server -g 0.2
    for how in seize stop exit; do
        create
        traced $how
        say "delete_driver $pid"
        expect "Job +([0-9]) Done @(cancelled|lost *)" "Driver $pid Deleted"
        wait_until gone "$tracer"
        all_gone
    done
    log_is "server: driver +([0-9]) did not exit in time: killed" "server: driver +([0-9]) ended (killed by signal 9)"
}

@test "tracers: kill -9 of the driver ends the tracer as well" {
    start_server -g 1000
    for how in seize stop exit; do
        create
        traced $how
        kill -KILL "$pid"
        [ $how != exit ] || kill -QUIT "$server_pid"
        expect "Job +([0-9]) Done *"
        wait_until gone "$tracer"
        all_gone
    done
    server_ends 4
}

@test "tracers: kill -9 of the server ends the driver and its tracer, which the driver needs to go on" {
    for how in calls traps; do
        start_server -g 1000
        create
        traced $how
        kill -KILL "$server_pid"
        wait_until ended "$pid"
        wait_until ended "$tracer"
        rm tracer.*
        hang_up
    done
}

@test "tracers: kill -9 of the server ends the driver, even if the tracer is the job's first process" {
    start_server -g 1000
    create
    say "run $pid 1000 trap '' TERM; exec $HELPERS/hold \$PPID calls"
    wait_until logged .
    logged '^held$' || skip "$(<err)"
    kill -KILL "$server_pid"
    wait_until ended "$pid"
}

# A tracer cannot die before its own tracer lets it.
@test "tracers: kill -9 of the server ends the driver, even if the tracer is traced itself" {
    start_server -g 1000
    create
    mkfifo never
    say "run $pid 1000 $HELPERS/hold \$PPID calls >new & until [ -s new ]; do sleep 0.01; done; exec $HELPERS/hold \$! exit <>never"
    wait_until logged .
    logged '^held$' || skip "$(<err)"
    kill -KILL "$server_pid"
    wait_until ended "$pid"
}

@test "tracers: a driver goes on after the end of a job that traced its system calls" {
    for how in calls traps; do
        start_server -g 0.2 --linger 0.01
        create
        traced $how
        say "cancel_task $pid"
        expect "Job 1 Done cancelled" "Driver $pid Available"
        gone "$tracer"
        rm new
        say "run $pid 0.5 trap '' TERM; exec $HELPERS/hold \$PPID $how"
        expect 'Job 2 Done timeout'
        say "run $pid 1000 (trap '' TERM; exec $HELPERS/hold \$PPID $how) & exit 3"
        expect 'Job 3 Done exit 3'
        end_input
        server_ends 4
        log_is held 'server: job 3 left 1 process' 'server: job +([0-9]) Done *'
        hang_up
        rm tracer.*
    done
}

# Skips the test if a process cannot trace those that it does not descend from.
needs_tracing() {
    "$HELPERS/hold" $$ </dev/null >held 2>held.err || skip "$(<held.err)"
    rm held held.err
}

# traced_server: the driver's job traces the system calls of the server. Sets tracer.
traced_server() {
    rm -f new
    say "run $pid 1000 setsid sh -c 'trap \"\" TERM; echo \$\$ >new; exec $HELPERS/hold $server_pid calls >held' & sleep 1000"
    wait_until test -s held
    tracer=$(<new)
    rm held
}

@test "tracers: a job that traces the server, however it ends, does not hold it up" {
    needs_tracing
    start_server -g 0.2
    create
    traced_server
    say "cancel_task $pid"
    expect "Job 1 Done cancelled" "Driver $pid Available"
    traced_server
    kill -KILL "$pid"
    expect "Job 2 Done lost driver $pid died (killed by signal 9)"
    gone "$tracer"
    create
    traced_server
    say "delete_driver $pid"
    expect 'Job 3 Done cancelled' "Driver $pid Deleted"
    gone "$tracer"
    create
    say "run $pid 0.5 trap '' TERM; exec $HELPERS/hold $server_pid calls"
    expect 'Job 4 Done timeout'
    for signal in TERM QUIT KILL; do
        traced_server
        kill -$signal "$server_pid"
        [ $signal = KILL ] || server_ends 4
        wait_until ended "$pid"
        wait_until ended "$tracer"
        hang_up
        [ $signal = KILL ] || { start_server -g 0.2 && create; }
    done
}

@test "tracers: processes of a job that trace each other end" {
    needs_tracing
    start_server -g 0.1
    create
    mkfifo never
    say "run $pid 1000 trap '' TERM; $HELPERS/hold \$\$ calls >new & until [ -s new ]; do sleep 0.01; done; $HELPERS/hold \$! exit <>never >both & while :; do :; done"
    wait_until test -s both
    say "cancel_task $pid"
    expect 'Job 1 Done cancelled' "Driver $pid Available"
    wait_until has_children_of "$pid" 0
}

@test "tracers: a server that had children before it was started finds them in the job's session" {
    PATIENT+=(-v)
    start_after 'sleep 1000 3>&- & echo $! >stranger'
    wait_until test -s stranger
    started+=("$(cat stranger)")
    create
    traced stop env
    kill -KILL "$pid"
    expect "Job +([0-9]) Done lost driver $pid *"
    wait_until gone "$tracer"
    all_gone
    alive "$(cat stranger)"
    kill -KILL "$(cat stranger)"
}

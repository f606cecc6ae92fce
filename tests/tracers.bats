#!/usr/bin/env bats
# A process of a job attaches to the job's driver as a debugger does. The driver may be stopped, and
# when it is dead nobody can reap it before that process ends.

load lib/helpers

# traced seize|stop|exit [COMMAND]: the driver has a job, and a process of the job that is deaf
# to TERM holds the driver, see tests/lib/hold.c. That command (setsid) starts the process. Sets tracer.
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

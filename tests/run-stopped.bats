#!/usr/bin/env bats
# Jobs whose driver is stopped, so that the server must kill it: what is said of their end is true.

load lib/helpers

# with_stopped END: the driver runs a job that stops it at once and then does END.
with_stopped() {
    rm -f up
    start_server "${grace[@]}"
    create
    say "run $pid 1000 kill -STOP \$PPID; touch up; $1"
    wait_until test -e up
    first=$(children_of "$pid")
    first=${first// /}
}

# asked_by WAY RESULT: somebody asks for the driver's end in that way, and the job has that RESULT.
asked_by() {
    case $1 in
    delete_driver) say "delete_driver $pid" ;;
    shutdown) say shutdown ;;
    *) kill -"$1" "$server_pid" ;;
    esac
    expect "Job 1 Done $2"
    if [[ $1 == delete_driver ]]; then
        expect "Driver $pid Deleted"
        end_input
    fi
    server_ends 4
    hang_up
}

grace=(-g 0.2)
unheard='lost driver +([0-9]) did not report its end in time'

@test "stopped driver: a job that has ended by itself is not called cancelled" {
    for way in delete_driver shutdown TERM QUIT; do
        with_stopped 'exit 0'
        wait_until in_state "$first" Z
        asked_by $way "$unheard"
    done
}

@test "stopped driver: a job that has killed itself by TERM or KILL is not called cancelled" {
    for signal in TERM KILL; do
        for way in delete_driver QUIT; do
            with_stopped "kill -$signal \$\$; read x"
            wait_until in_state "$first" Z
            asked_by $way "$unheard"
        done
    done
}

@test "stopped driver: a job that runs is cancelled, deaf to TERM or not" {
    for way in delete_driver shutdown QUIT; do
        with_stopped 'sleep 1000'
        asked_by $way cancelled
        with_stopped "trap '' TERM; sleep 1000"
        asked_by $way cancelled
        gone "$first"
    done
}

@test "stopped driver: a job that ends by itself after its driver was asked is not called cancelled" {
    local grace=(-g 1000)
    with_stopped 'until [ -e asked ]; do sleep 0.01; done'
    say "delete_driver $pid"
    wait_until took 3
    touch asked
    wait_until in_state "$first" Z
    kill -QUIT "$server_pid"
    expect "Job 1 Done $unheard" 'Driver * Deleted'
}

# A job of two processes: the first, and one in a session of its own that is deaf to TERM. The driver
# knows of both.
two='setsid bash -c "trap \"\" TERM; echo >up; until [ -e never ]; do sleep 0.01; done" & '

@test "stopped driver: a job whose first process it has ended, but not the rest, is cancelled" {
    start_server -g 1000 -v
    create
    say "run $pid 1000 $two sleep 1000"
    wait_until test -e up
    wait_until logged 'job 1 runs on driver'
    first=$(sed -n 's/.*as process \([0-9]*\):.*/\1/p' err)
    say "delete_driver $pid"
    wait_until gone "$first"
    stop_process "$pid"
    kill -QUIT "$server_pid"
    expect 'Job 1 Done cancelled' "Driver $pid Deleted"
}

@test "stopped driver: a job whose first process had ended before that, and left the rest, is lost" {
    start_server -g 1000 --linger 1000 -v
    create
    say "run $pid 1000 $two until [ -e up ]; do sleep 0.01; done"
    wait_until logged 'job 1 runs on driver'
    first=$(sed -n 's/.*as process \([0-9]*\):.*/\1/p' err)
    wait_until gone "$first"
    stop_process "$pid"
    kill -QUIT "$server_pid"
    expect "Job 1 Done $unheard"
}

@test "stopped driver: a job that was killed by somebody else before its limit is no timeout" {
    start_server -g 0.1 -v
    create
    say "run $pid 0.5 until grep -q 'job 1 runs' err; do :; done; kill -STOP \$PPID; kill -KILL \$\$; read x"
    expect "Job 1 Done $unheard"
}

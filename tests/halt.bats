#!/usr/bin/env bats
# --halt: what follows from the first job of a batch that fails.

load lib/helpers

@test "--halt soon: no other job begins, and those that run go on; the rest are unrun" {
    mkfifo gate other
    start_server --halt soon
    create
    create
    say 'run any 50 read x <gate' 'run any 50 read x <other; exit 3' 'run any 50 : >ran' \
        get_drivers 'run any 50 : >ran'
    echo >other
    wait_until logged '^server: halted by job 2$'
    echo >gate
    expect 'Job 1 Done exit 0' 'Job 2 Done exit 3' 'Job 3 Done unrun halted by job 2' \
        'Error: halted by job 2' 'Job 4 Done unrun halted by job 2'
    server_ends 4
    [ ! -e ran ]
    log_is 'server: job 2 Done exit 3 after * s: *' 'server: halted by job 2' 'server: 2 jobs did not run'
}

@test "--halt now: those that run are cancelled, deaf to TERM or not" {
    start_server --halt now --grace 0.1
    create
    create
    create
    say 'run any 1000 trap "" TERM; : >up; while :; do sleep 0.1; done'
    wait_until test -e up
    say 'run any 1000 sleep 1000' 'run any 50 exit 3' 'run any 50 : >ran'
    expect 'Job 1 Done cancelled' 'Job 2 Done @(cancelled|unrun halted by job 3)' 'Job 3 Done exit 3' 'Job 4 Done unrun halted by job 3'
    server_ends 4
    [ ! -e ran ]
}

@test "--halt: it is the first failure that counts, not the first reply" {
    mkfifo gate
    start_server --halt soon
    create
    create
    say 'run any 50 read x <gate' 'run any 50 exit 3' 'run any 50 : >ran'
    wait_until logged '^server: halted by job 2$' # while job 1 still runs
    echo >gate
    expect 'Job 1 Done exit 0' 'Job 2 Done exit 3' 'Job 3 Done unrun halted by job 2'
    server_ends 4
}

@test "--halt: no more is read, though the input stays open, and half a line is no job" {
    start_server --halt soon
    create
    env printf 'run any 50 exit 3\nrun any 50 : >ran' >&"$to" # by one write, as say does
    expect 'Job 1 Done exit 3'
    server_ends 4
    [ ! -e ran ]
    [ "$(cat <&"$from")" = '' ]
}

@test "--halt: whatever is not exit 0 is a failure; what somebody cancels is none" {
    for job in 'run any 50 kill -15 $$' 'run any 0.05 sleep 1000' 'run any 50 nosuchcommand' \
        'run any 50 kill -9 $PPID; sleep 1000'; do
        printf '%s\n' create_driver create_driver "$job" >lines
        session --halt soon <lines >out 2>err || [ $? = 4 ]
        grep -qx 'server: halted by job 1' err
    done
    for refused in 'run 1 5 true' 'run any x true' run "run any 5 $(printf '%05000d' 0)" \
        "submit 5 $(printf '%05000d' 0)"; do
        printf '%s\n' create_driver "$refused" 'run any 50 : >ran' >lines
        session --halt soon <lines >out 2>err || [ $? = 4 ]
        grep -qx 'server: halted by an Error' err
        grep -qx 'Job 1 Done unrun halted by an Error' out
    done
    [ ! -e ran ]
    rm out
    start_server --halt soon --listen socket
    create
    say "run $pid 1000 sleep 1000"
    wait_until has_children_of "$pid" 1
    "$SERVER" --connect socket cancel_task "$pid"
    expect 'Job 1 Done cancelled'
    say "run $pid 50 true"
    expect 'Job 2 Done exit 0'
    run -1 "$SERVER" --connect socket run any 5 false # another client's
    say "run $pid 50 true"
    expect 'Job 4 Done exit 0'
}

@test "--halt: a submit is halted as a run is" {
    printf '%s\n' 'run any 9 exit 3' 'submit 9 : >ran' 'run any 9 : >ran' 'submit 9 : >ran' >lines
    run -4 --separate-stderr session --drivers 1 --halt soon <lines
    [ "$(grep -c '^Job [1-4] ' <<<"$output")" -ge 4 ]
    [[ ${lines[-1]} == 'Job 4 Done unrun halted by job 1' || ${lines[-1]} == 'Job 4 Waiting' ]]
    [ ! -e ran ]
}

@test "--halt: anything but soon or now is wrong usage" {
    for bad in '' never Soon; do
        run -2 session --halt "$bad" </dev/null
        [ "$output" = "server: bad --halt '$bad' (soon or now) (try --help)" ]
    done
}

# The second driver is stopped, so that the job is still on its way when the first job fails.
on_its_way() {
    mkfifo gate
    start_server --halt "$1" --reply-timeout 100 --log jobs.log
    create_many 2
    say 'run any 100 read x <gate; exit 3'
    wait_until any_has_child
    stopped=${pids[0]}
    ! has_children_of "$stopped" 1 || stopped=${pids[1]}
    kill -STOP "$stopped"
    wait_until in_state "$stopped" T
    say 'run any 1000 : >ran; sleep 1000' "run any 1000 : >ran2"
    wait_until grep -q $'\t2\tRunning\t' jobs.log
    echo >gate
    wait_until logged '^server: halted by job 1$'
    kill -CONT "$stopped"
}

any_has_child() {
    has_children_of "${pids[0]}" 1 || has_children_of "${pids[1]}" 1
}

@test "--halt now: a job that is on its way to its driver is ended, too" {
    on_its_way now
    expect 'Job 1 Done exit 3' 'Job 2 Done @(cancelled|unrun halted by job 1)' 'Job 3 Done unrun halted by job 1'
    server_ends 4
    [ ! -e ran2 ]
}

@test "--halt: jobs that wait are unrun at once, though no driver is free" {
    mkfifo gate
    start_server --halt soon --listen socket
    create_many 2
    say 'run any 100 read x <gate; exit 3'
    wait_until any_has_child
    "$SERVER" --connect socket run any 1000 sleep 1000 >/dev/null 3>&- &
    started+=("$!")
    wait_until all_have_children
    say 'run any 100 : >ran'
    echo >gate
    expect 'Job 1 Done exit 3' 'Job @(2|3) Done unrun halted by job 1'
    [ ! -e ran ]
}

all_have_children() {
    has_children_of "${pids[0]}" 1 && has_children_of "${pids[1]}" 1
}

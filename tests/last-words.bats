#!/usr/bin/env bats
# What a driver says at a bad moment: just before it dies, unasked, or after its client has gone.
# What it leaves behind, and to which parent it speaks.

load lib/helpers
load lib/looks

# ends_unseen FILE: stops the server, lets the driver go on to its end by creating the file, and
# continues the server. The pending signal makes the server see the death before it reads what the
# driver said.
ends_unseen() {
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    kill -USR1 "$server_pid"
    : >"$1"
    wait_until in_state "$pid" Z
    kill -CONT "$server_pid"
}

@test "last words: a job's result counts, though still unread when the driver's death is seen" {
    puppet says hello take:5 state:2:0:1000 did:started await:go result:3:9 exit:7
    start_server --driver ./says
    create
    say "run $pid 50 x"
    wait_until test -e started
    becomes runs 1
    ends_unseen go
    expect "Job 1 Done exit 9"
    say stats
    expect 'Stats * died=1 * failures=1 *'
}

@test "last words: a job's result counts also if its driver's death is seen during a stop" {
    puppet says hello take:5 state:2:0:1000 take:4 did:asked await:go result:3:9 exit:7
    start_server -g 100 --driver ./says
    create
    say "run $pid 50 x"
    becomes runs 1
    kill -TERM "$server_pid"
    wait_until test -e asked
    ends_unseen go
    expect "Job 1 Done exit 9"
    server_ends 4
}

@test "last words: a job that was taken unseen before the driver's death is lost, and not run again" {
    puppet says hello take:5 did:asked await:go state:2:0:1000 exit:7
    start_server --driver ./says
    create
    say 'run any 50 echo >ran'
    wait_until test -e asked
    ends_unseen go
    expect "Job 1 Done lost driver $pid died (exited with status 7)"
    say create_driver stats
    expect 'Driver * Available' 'Stats * runs=1 * lost=1 *'
}

@test "last words: the end of a task, and an answer, count after the driver's death" {
    puppet says hello take:1 state:1:0:1000 take:2 did:asked await:go end:1 state:0:0:0 exit:0
    start_server --driver ./says
    create
    say "send_task $pid 1" "get_status $pid"
    expect "Driver $pid Busy 1"
    wait_until test -e asked
    ends_unseen go
    expect "Driver $pid Available"
    say stats
    expect 'Stats * tasks=1 tasks_done=1 *'
}

@test "last words: a driver that dies right after its HELLO counts as one that was up and died later" {
    puppet says await:go hello exit:3
    start_server --driver ./says
    say create_driver
    has_a_child() { pid=$(children_of "$server_pid"); pid=${pid% }; [[ -n $pid ]]; }
    wait_until has_a_child
    ends_unseen go
    expect "Driver $pid Available"
    say get_drivers
    expect '0 drivers'
    wait_until logged "^server: driver $pid died .exited with status 3.$"
}

@test "protocol: a driver that says what it was not asked for is killed; the log says what" {
    # The puppet stays alive with its socket open, so only what it says can be the reason.
    cases=(
        'id:1 state:0:0:0||an answer to no request, id 1'
        'answer:1 again|get_status P|an answer to no request, id 1'
        'answer:1 id:2 state:0:0:0|get_status P|an answer to no request, id 2'
        'end:1||the end of no task, outcome 1'
        'take:1 state:1:0:1000 end:1 again|send_task P 1|the end of no task, outcome 1'
        'id:1 result:3:0||the result of no job, id 1'
        'take:1 state:1:0:1000 id:1 result:3:0|send_task P 1|the result of no job, id 1'
        'take:5 state:2:0:1000 result:3:0 again|run P 5 x|the result of no job, id 1'
        'id:1 begun:1000||the beginning of no job, id 1'
        'take:5 state:2:0:1000 begun:1000 again|run P 5 x|the beginning of no job, id 1'
        'hello||a second HELLO, for pid P'
    )
    for case in "${cases[@]}"; do
        IFS='|' read -r steps command message <<<"$case"
        # shellcheck disable=SC2086 # steps are words
        puppet says hello $steps pause
        start_server --driver ./says
        create
        [[ -z $command ]] || say "${command//P/$pid}"
        wait_until logged "^server: driver $pid: ${message//P/$pid}: killed$" || fail "$case: $(cat err)"
        wait_until gone "$pid"
        kill -TERM "$server_pid"
        ends=0
        [[ $command != run* ]] || ends=4 # a job was given, and the input had not ended
        server_ends $ends
        hang_up
    done
}

@test "protocol: a driver that was killed before its answer was read may have begun its job" {
    puppet says hello take:5 begun:1 pause
    start_server --driver ./says
    create
    say "run any 50 x"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
    wait_until logged "^server: job 1 Done lost driver $pid died .killed by signal 9. after [0-9]+\.[0-9]+ s: x$"
}

@test "protocol: a driver that was told to exit, and killed before its answer was read: its job is not given to another" {
    puppet says hello take:5 take:4 begun:1 pause
    start_server --driver ./says
    create
    say "run any 50 x" "delete_driver $pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)" "Driver $pid Deleted"
}

@test "protocol: a task that was not answered in time is taken back by its own id" {
    puppet silent hello answer:1 take:1 cancels:2 did:cancelled pause
    start_server -t 0.2 --driver ./silent
    create
    say "get_status $pid" "send_task $pid 5"
    expect '@(Driver|Error: driver) *' "Error: driver $pid is not responding"
    wait_until test -e cancelled
}

@test "clients: if one goes just as its job begins, nobody waits for the job's end" {
    start_listening
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    mkfifo gate
    attach other
    becomes clients 2
    tell other "run $pid 50 read x <gate; echo \$x >ended"
    becomes commands 3
    kill -KILL "${client_pid[other]}"
    wait_until ended "${client_pid[other]}"
    control stats # its reply means that the server has seen the client go
    kill -CONT "$pid"
    becomes clients 1
    say "get_status $pid"
    expect "Driver $pid Busy 50"
    echo over >gate
    wait_until grep -qs over ended
}

@test "dying driver: whatever its exit status, what its job has left is ended" {
    for end in exit:0 exit:1 exit:255; do
        rm -f left
        puppet leaves hello take:5 child:left state:2:0:1000 begun:C $end
        start_server --driver ./leaves
        create
        say "run $pid 50 x"
        expect "Job 1 Done lost driver $pid died (exited with status ${end#*:})"
        left=$(<left)
        gone "$left" || { kill -KILL "$left"; fail "it has left $left"; }
        kill -TERM "$server_pid"
        server_ends 4
        hang_up
    done
}

@test "dying driver: if it fails after the end of its job, what that has left is ended as well" {
    puppet leaves hello take:5 child:left state:2:0:1000 begun:C result:3:0 exit:1
    start_server --driver ./leaves
    create
    say "run $pid 50 x"
    expect "Job 1 Done exit 0"
    left_ends
}

@test "stop: waits until everything that a killed driver has left is gone, however deeply nested" {
    cat >chain <<'END'
#!/bin/bash
(($1 == 0)) || setsid "$0" $(($1 - 1)) &
echo $$ >>pids
exec sleep 1000
END
    chmod +x chain
    start_server -g 30
    create
    say "run $pid 100 ./chain 7"
    chain_is_up() { [[ -e pids && $(wc -l <pids) == 8 ]]; }
    wait_until chain_is_up
    kill -QUIT "$server_pid"
    server_ends 4
    left=()
    while read -r member; do
        gone "$member" || left+=("$member")
    done <pids
    [ -z "${left[*]}" ] || { kill -KILL "${left[@]}"; fail "left: ${left[*]} of $(tr '\n' ' ' <pids)"; }
}

@test "stop: a driver that has died just before is sent nothing more" {
    start_server
    create_many 2
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    kill -USR1 "$server_pid" # makes the server handle signals before the end of the driver's socket
    kill -KILL "${pids[0]}"
    wait_until in_state "${pids[0]}" Z
    kill -TERM "$server_pid"
    kill -CONT "$server_pid"
    server_ends 0
    log_is 'server: Stats *' # the stop came first: the driver was to exit anyway
}

@test "stop: if standard input has failed just before a driver died, the driver was to exit anyway" {
    run -1 --separate-stderr "$LIB/refused-input.pl" "$SERVER" 3>&-
    [ -z "$output" ]
    [ "$stderr" = 'server: cannot read standard input: Connection refused' ]
}

@test "stop: if the reader of the replies goes away during it, a job keeps its grace period" {
    start_server -g 100
    create_many 2
    mkfifo gate
    kill -STOP "${pids[1]}"
    wait_until in_state "${pids[1]}" T
    say "get_status ${pids[1]}" "run ${pids[0]} 100 trap '' TERM; echo >up; read x <gate; echo \$x >ended"
    wait_until test -e up
    kill -TERM "$server_pid"
    becomes stopping 2
    exec {from}<&-
    from=
    kill -CONT "${pids[1]}"
    becomes stopping 1
    echo over >gate
    server_ends 1
    [ "$(<ended)" = over ]
    logged '^server: cannot write standard output: Broken pipe$'
}

@test "kill -9 of the server: its driver exits even if a process of its job cannot be reaped" {
    start_server
    create
    say "run $pid 1000 sleep 1000"
    hold_job
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    exec {release}>&-
    wait "$holder"
}

@test "driver: if its parent did not make its socket, it exits and sends nothing" {
    run -2 "$HELPERS/foster" "$DRIVER"
    [[ $output == 'driver['+([0-9])']: started by the server, not by hand'* ]]
}

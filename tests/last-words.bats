#!/usr/bin/env bats
# What a driver says at a bad moment: just before it dies, unasked, when its client has gone; what it leaves;
# and to whom it says anything at all.

load lib/helpers
load lib/looks

# ends_unseen FILE: the server is stopped, the driver goes on to its end, and the server sees first that it
# has died, and then what it had said: a signal is there before anything else.
ends_unseen() {
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    kill -USR1 "$server_pid"
    : >"$1"
    wait_until in_state "$pid" Z
    kill -CONT "$server_pid"
}

@test "last words: the result of a job, unread when the driver's death is known" {
    puppet says hello take:5 state:1:0:1000:1000 did:started await:go result:3:9 exit:7
    start_server --driver ./says
    create
    say "run $pid 50 x"
    wait_until test -e started
    becomes runs 1
    ends_unseen go
    expect "Driver $pid Done exit 9"
    say stats
    expect 'Stats * died=1 * failures=1 *'
}

@test "last words: the end of a task, and an answer" {
    puppet says hello take:1 state:1:0:0:1000 take:2 did:asked await:go end:1 state:0:0:0:0 exit:0
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

@test "last words: HELLO, of a driver that then dies: it was up, and died later" {
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

@test "unasked: what a driver says that it was not asked for is named in the log, and ends it" {
    # The puppet stays, with its socket open: only what it says can end it.
    cases=(
        'id:1 state:0:0:0:0||an answer to no request, id 1'
        'answer:1 again|get_status P|an answer to no request, id 1'
        'answer:1 id:2 state:0:0:0:0|get_status P|an answer to no request, id 2'
        'end:1||the end of no task, outcome 1'
        'take:1 state:1:0:0:1000 end:1 again|send_task P 1|the end of no task, outcome 1'
        'id:1 result:3:0||the result of no command, id 1'
        'take:1 state:1:0:0:1000 id:1 result:3:0|send_task P 1|the result of no command, id 1'
        'take:5 state:1:0:1000:1000 result:3:0 again|run P 5 x|the result of no command, id 1'
        'hello||a second HELLO, for pid P'
    )
    for case in "${cases[@]}"; do
        IFS='|' read -r steps command message <<<"$case"
        # shellcheck disable=SC2086 # its steps
        puppet says hello $steps pause
        start_server --driver ./says
        create
        [[ -z $command ]] || say "${command//P/$pid}"
        wait_until logged "^server: driver $pid: ${message//P/$pid}: killed$" || fail "$case: $(cat err)"
        wait_until gone "$pid"
        kill -TERM "$server_pid"
        server_ends 0
        hang_up
    done
}

@test "a task that was not answered in time is taken back by its number, so that no other is" {
    puppet silent hello answer:1 take:1 cancels:2 did:cancelled pause
    start_server -t 0.2 --driver ./silent
    create
    say "get_status $pid" "send_task $pid 5"
    expect '@(Driver|Error: driver) *' "Error: driver $pid is not responding"
    wait_until test -e cancelled
}

@test "a job whose client goes just as it begins: nobody waits for its end" {
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
    control stats # by now the server has seen that
    kill -CONT "$pid"
    becomes clients 1
    say "get_status $pid"
    expect "Driver $pid Busy 50"
    echo over >gate
    wait_until grep -qs over ended
}

@test "what a driver that ends with status 1 has left of a job is ended" {
    for end in exit:1 exit:255; do
        rm -f left
        puppet leaves hello take:5 child:left state:1:0:C:1000 $end
        start_server --driver ./leaves
        create
        say "run $pid 50 x"
        expect "Error: driver $pid died (exited with status ${end#*:})"
        left=$(<left)
        wait_until gone "$left" || { kill -KILL "$left"; fail "it has left $left"; }
        kill -TERM "$server_pid"
        server_ends 0
        hang_up
    done
}

@test "a stop waits until what a killed driver has left is gone, however deep" {
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
    server_ends 0
    left=()
    while read -r member; do
        gone "$member" || left+=("$member")
    done <pids
    [ -z "${left[*]}" ] || { kill -KILL "${left[@]}"; fail "left: ${left[*]} of $(tr '\n' ' ' <pids)"; }
}

@test "a stop in which the reader of the replies goes away leaves a job its grace" {
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

@test "driver: leaves, and says nothing, if its socket was not made by its parent" {
    run -2 "$HELPERS/foster" "$DRIVER"
    [[ $output == 'driver['+([0-9])']: started by the server, not by hand'* ]]
}

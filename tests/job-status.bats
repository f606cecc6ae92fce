#!/usr/bin/env bats
# What jobs make of exit statuses: of the server that reads them from standard input, and of clients.

load lib/helpers
load lib/looks

# batch STATUS LINE...: a server with these lines on standard input, after a create_driver, ends
# with that status.
batch() {
    printf '%s\n' create_driver "${@:2}" >lines
    run "-$1" --separate-stderr session <lines
}

@test "server: 0 if all jobs of standard input ended with exit 0, or there was none; else 4" {
    batch 0 'run any 5 true' 'run any 5 exit 0'
    batch 0
    batch 0 fly 'send_task any 0.01' 'get_status 1' # Errors to other commands are no jobs
    for failed in 'exit 1' 'exit 255' nosuchcommand 'kill -15 $$' 'kill -9 $PPID; sleep 50'; do
        batch 4 "run any 5 $failed"
    done
    batch 4 'run any 5 false' 'run any 5 true'
    batch 4 'run any 0.05 sleep 1000'
    batch 4 'run any 5 false' wait shutdown
    batch 4 'run any 5 false' quit
}

@test "server: 4 if a job was refused" {
    for refused in run 'run any 0 true' 'run 1 5 true' 'run any x true' 'run any 5'; do
        batch 4 "$refused" 'run any 5 true'
        [[ ${lines[1]} == 'Error: '* && ${lines[2]} == 'Job 1 Done exit 0' ]]
    done
    run -4 session <<<'run any 5 true'
    [ "$output" = 'Error: no driver' ]
    start_server
    create
    say "send_task $pid 50" "run $pid 5 true"
    expect '*' 'Error: *'
    end_input
    server_ends 4
}

@test "server: 4 if a line that gives a job is too long; a client ends with 1 then" {
    printf -v long '%05000d' 0
    for command in 'run any 5' 'submit 5' $'\t submit\t5'; do
        batch 4 "$command $long" 'run any 5 true'
        [ "${lines[1]}" = 'Error: line too long (limit 4096 bytes)' ]
        [ "${lines[2]}" = 'Job 1 Done exit 0' ]
    done
    for command in send_task submits '# submit'; do
        batch 0 "$command $long" 'run any 5 true'
        [ "${lines[1]}" = 'Error: line too long (limit 4096 bytes)' ]
    done
    start_listening
    create
    run -1 control <<<"submit 5 $long"
    run -1 control <<<"run any 5 $long"
}

@test "server: 4 if a job was cancelled by a command" {
    start_server
    create
    say "run $pid 50 sleep 1000" "cancel_task $pid"
    expect 'Job 1 Done cancelled' '*'
    end_input
    server_ends 4
    log_is # since somebody wanted it so
}

@test "server: a signal that stops it makes it 4 if there were jobs, and input was still to come" {
    for signal in INT TERM HUP QUIT; do
        start_server
        create
        kill -$signal "$server_pid"
        server_ends 0 # no jobs
        hang_up
        start_server
        create
        say 'run any 5 true'
        expect 'Job 1 Done exit 0'
        kill -$signal "$server_pid"
        server_ends 4
        hang_up
    done
}

# start_slowly INPUT OPTION...: starts a server whose driver does not come up. INPUT is a file, or - for
# the FIFO.
start_slowly() {
    local input="<$1"
    [[ $1 != - ]] || input=
    [[ -e never ]] || mkfifo never
    fake_driver slow 'read -r _ <never'
    start bash -c "exec '$SERVER' --start-timeout 1000 --grace 0.1 --drivers 1 --driver ./slow ${*:2} $input"
    wait_until has_children 1
}

# is_stopped STATUS: a TERM ends the server with that status.
is_stopped() {
    kill -TERM "$server_pid"
    server_ends "$1" && hang_up
}

@test "server: a signal before the first drivers are up makes it 4 if jobs had come" {
    printf '%s\n' get_drivers 'run any 5 : >ran' >lines
    printf 'run any 5 : >ran' >half
    { yes '# text' | head -n 20000 && cat lines; } >long
    printf 'send_task any 1\n' >tasks
    for input in lines half long; do
        start_slowly "$input"
        is_stopped 4
    done
    start_slowly lines --listen taxi.sock
    is_stopped 0
    for input in tasks /dev/null -; do
        start_slowly "$input"
        is_stopped 0
    done
    start_slowly -
    say stats
    is_stopped 0
    start_slowly -
    cat half >&"$to"
    end_input
    kill -TERM "$server_pid"
    expect 'Job 1 Done unrun server is stopping'
    server_ends 4
    [ ! -e ran ]
}

@test "server: a signal after the end of input changes nothing, but a job that it cancels does" {
    for command in 'send_task any 50' 'run any 50 sleep 1000'; do
        start_server -g 1000
        create
        say 'run any 5 true' "$command"
        expect 'Job 1 Done exit 0'
        wait_until took 3
        [[ $command == send* ]] || wait_until has_children_of "$pid" 1
        # The end of input ends the server even if there is a task; the stopped driver holds it up.
        [[ $command == run* ]] || stop_process "$pid"
        end_input
        [[ $command == run* ]] || becomes stopping 1
        kill -TERM "$server_pid"
        if [[ $command == send* ]]; then
            server_ends 0
        else
            expect 'Job 2 Done cancelled'
            server_ends 4
        fi
        hang_up
    done
}

@test "server: with --listen, or at a prompt, jobs do not change its status" {
    batch 4 'run any 5 false'
    printf '%s\n' create_driver 'run any 5 false' run wait shutdown >lines
    run -0 --separate-stderr session --listen taxi.sock <lines
    [[ ${lines[1]} == 'Job 1 Done exit 1' ]]
    start_terminal "'$SERVER'; echo status \$?"
    shows '> '
    keys 'create_driver\nrun any 5 false\nrun any 0 x\n'
    shows '^Error: bad seconds'
    keys 'quit\n'
    shows '^status 0'
}

@test "server: 1 for what it failed at itself, also if a job has failed" {
    printf '%s\n' create_driver 'run any 5 false' 'run any 5 true' >lines
    run -1 bash -c "exec '$SERVER' <lines >/dev/full"
}

@test "client: run in words ends as the job did" {
    start_listening
    create
    for option in '' --json; do
        # shellcheck disable=SC2086 # may be no word
        while IFS='|' read -r status command; do
            words=("${command%% *}")
            [[ $command ]] || words=()
            [[ $command != *' '* ]] || words+=("${command#* }") # the job is one word, a line for sh
            run "-$status" control $option run any "${words[@]}"
            [ ${#lines[@]} = 1 ]
        done <<'END'
0|5 true
3|5 exit 3
255|5 exit 255
126|5 /
127|5 nosuchcommand
137|5 kill -9 $$
129|5 kill -1 $$
124|0.05 sleep 1000
125|0 true
125|
125|5
END
        run -125 control $option run 1 5 true
    done
    # Only run is about a job.
    run -1 control get_status 1
    run -0 control get_drivers
}

@test "client: 125 if its job was cancelled, is unrun or lost; 3 if the server is killed" {
    start_listening
    for option in '' --json; do
        for end in cancel_task lost unrun; do
            create
            # shellcheck disable=SC2206 # may be no word
            words=($option run "$pid" 50 sleep 1000)
            [[ $end != unrun ]] || stop_process "$pid"
            taken=$(commands_taken)
            attach one "${words[@]}"
            wait_until took $((taken + 1))
            case $end in
            cancel_task)
                wait_until has_children_of "$pid" 1
                say "cancel_task $pid"
                expect "Driver $pid Available"
                ;;
            lost)
                wait_until has_children_of "$pid" 1
                kill -KILL "$pid"
                ;;
            unrun) kill -KILL "$pid" ;;
            esac
            client_ends one 125
            reply=$(cat <&"${client_from[one]}")
            case $end$option in
            cancel_task) [[ $reply == 'Job '+([0-9])' Done cancelled' ]] ;;
            cancel_task--json) [[ $reply == '{"job":'*',"cancelled":true,'* ]] ;;
            lost | unrun) [[ $reply == 'Job '+([0-9])" Done $end driver $pid died (killed by signal 9)" ]] ;;
            *) [[ $reply == *",\"$end\":\"driver $pid died (killed by signal 9)\","* ]] ;;
            esac
            rm one.*
        done
    done
    create
    attach one run "$pid" 50 sleep 1000
    wait_until has_children_of "$pid" 1
    kill -KILL "$server_pid"
    client_ends one 3
}

@test "client: 125 if the server stops and cancels its job, or leaves it unrun" {
    start_listening
    create
    attach one run any 50 sleep 1000
    wait_until has_children_of "$pid" 1
    attach two run any 50 true
    wait_until took 4
    kill -TERM "$server_pid"
    hear one 'Job 1 Done cancelled'
    hear two 'Job 2 Done unrun server is stopping'
    client_ends one 125
    client_ends two 125
    server_ends 0
}

@test "client: with commands on standard input, 3 over 1 (an Error) over 4 (a job that failed)" {
    start_listening
    create
    for option in '' --json; do
        # shellcheck disable=SC2086 # may be no word
        while IFS='|' read -r status commands; do
            run "-$status" control $option <<<"${commands//;/$'\n'}"
        done <<'END'
0|run any 5 true;get_drivers
4|run any 5 false;run any 5 true
4|run any 5 true;run any 0.05 sleep 1000
4|run any 5 kill -9 $PPID && sleep 50;create_driver
1|run any 5 false;fly;run any 5 true
1|fly;run any 5 true
1|run any 0 true;run any 5 true
END
    done
    attach one
    tell one fly 'run any 5 false' 'run any 50 sleep 1000'
    hear one 'Error: *' 'Job * Done exit 1'
    kill -KILL "$server_pid"
    client_ends one 3
}

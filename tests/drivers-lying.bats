#!/usr/bin/env bats
# Drivers that break the protocol or lie.

load lib/helpers

@test "protocol: a driver that breaks it before it is up is killed, and the Error says so" {
    cases=(
        'printf garbage-and-more-of-it >&3'
        'frame 1 65 4 0 "$(u32 $$)"' # version
        'frame 2 65 4 0 "$(u32 $$)"'
        'frame 3 99 4 0 "$(u32 $$)"' # type
        'frame 3 2 0 0'              # a type that only the server sends
        'frame 3 65 5 0 "$(u32 $$)"' # length
        'hello 1'                    # pid
        'frame 3 65 4 9 "$(u32 $$)"' # an id where there should be none
        'state 1 0 0 0'              # no HELLO first
    )
    for case in "${cases[@]}"; do
        fake_driver bad "$case" linger
        run -0 --separate-stderr session --driver ./bad <<<create_driver
        [[ $output == 'Error: cannot create driver: '+([0-9])' broke the protocol' ]] ||
            fail "$case: $output"
        [[ $stderr == 'server: driver '*': killed'* ]]
    done
}

@test "protocol: a driver that breaks it later is killed and logged, and the server works on" {
    cases=(
        'hello'                         # a second one
        'frame 3 66 16 1'               # the socket ends in the middle of the frame
        'state 1 0 0 0'                 # an answer to no question
        'frame 3 67 4 0 "$(u32 1)"'     # the end of no task
        'while :; do frame 3 67 4 0 "$(u32 1)"; done'
        'while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >&3; done'
    )
    for case in "${cases[@]}"; do
        fake_driver bad hello "$case" 'exec 3>&-' linger
        start_server -g 0.2 --driver ./bad
        say create_driver
        expect 'Driver +([0-9]) Available'
        bad=${line//[^0-9]/}
        wait_until logged "driver $bad died \(killed by signal 9\)"
        [[ $case == 'frame 3 66 16 1' ]] || logged "^server: driver $bad: .*: killed$"
        say get_drivers
        expect '0 drivers'
        end_input
        server_ends 0
        hang_up
    done
}

@test "protocol: if a driver answers nonsense, the question gets an Error that it died" {
    cases=(
        'state 2 0 0 0'   # another id
        'state 1 1 0 0'   # busy, and no time left
        'state 1 0 0 5'   # free, and time left
        'state 1 3 0 5'   # neither
        'state 1 0 4 0'   # an unknown refusal
        'state 1 0 0 0 1' # a reserved field that is not 0
        'state 1 0 2 0'   # a refusal that does not fit a question
        'state 1 2 0 5'   # a job that it was not given
        'begun 1 $$'      # the same
    )
    for case in "${cases[@]}"; do
        fake_driver liar hello 'take 1' "$case" linger
        start_server --driver ./liar
        create
        say "get_status $pid"
        expect "Error: driver $pid died (killed by signal 9)"
        end_input
        server_ends 0
        hang_up
    done
}

@test "protocol: a driver that speaks one byte at a time is understood" {
    fake_driver slow 'for byte in 3 65 4 0 0 0 0 0 $(($$ & 255)) $(($$ >> 8 & 255)) $(($$ >> 16)) 0; do
        printf "$(u8 $byte)" >&3; done' linger
    start_server -g 0.2 --driver ./slow
    create
}

@test "protocol: a driver that lies about its job is killed, and only that driver" {
    # What the driver does, what the server calls that, and which command it gets in addition to a
    # run.
    cases=(
        'result 1 3 0|result of no job|'
        'begun 1 $$|beginning of no job|'
        'take $RUN; result 1 3 0|result of no job|'
        'take $RUN; begun 1 $$|beginning of no job|'
        'take $RUN; state 1 2 0 1000; result 1 3 0; result 1 3 0|result of no job|'
        'take $RUN; state 1 2 0 1000; result 9 3 0|result of no job|'
        'take $RUN; state 1 2 0 1000; begun 9 $$|beginning of no job|'
        'take $RUN; state 1 2 0 1000; begun 1 $$; begun 1 $$|beginning of no job|'
        'take $RUN; state 1 2 0 1000; result 1 3 0; begun 1 $$|beginning of no job|'
        'take $RUN; state 1 2 0 1000; begun 1 0|body|'
        'take $RUN; state 1 2 0 1000; begun 1 2147483648|body|'
        'take $RUN; state 1 1 0 1000|impossible|'
        'take $RUN; state 1 0 0 0|does not fit|'
        'take $RUN; state 1 0 2 0|does not fit|'
        'take $RUN; state 1 0 1 0|does not fit|'
        'take $RUN; state 1 2 1 1000|impossible|'
        'take $RUN; state 1 2 3 1000|impossible|'
        'take $RUN; state 1 0 4 0|body|'
        'take $RUN; state 1 2 0 1000; frame 3 67 4 0 "$(u32 1)"|end of no task|'
        'take $RUN; state 1 2 0 1000; result 1 1 0|body|'
        'take $RUN; state 1 2 0 1000; result 1 3 256|body|'
        'take $RUN; state 1 2 0 1000; result 1 4 0|body|'
        'take $RUN; state 1 2 0 1000; result 1 5 1|body|'
        'take $RUN; state 1 2 0 1000; result 1 3 0 1|body|'
        'take $RUN; state 1 2 0 1000; result 1 6 0 0|body|'
        'take $RUN; state 1 2 0 1000; result 1 6 1 1|body|'
        'take $RUN; state 1 2 0 1000; result 1 6 0 4|body|'
        'take $RUN; state 1 2 0 1000; result 1 6 2 4 1|body|'
        'take $RUN; state 1 2 0 1000; result 0 3 0|id|'
        'take $RUN; state 1 2 0 1000; take $STATUS; state 2 0 0 0|impossible|get_status'
        'take $RUN; state 1 2 0 1000; take $STATUS; state 2 1 0 1000|impossible|get_status'
        'take $RUN; state 1 2 0 1000; take $RUN; state 2 2 0 1000|impossible|run'
        'take $RUN; state 1 2 0 1000; take $RUN; state 2 0 3 0|impossible|run'
        'take $RUN; state 1 2 0 1000; take $CANCEL; state 2 0 0 0|impossible|cancel_task'
        'take $RUN; state 1 2 0 1000; take $CANCEL; state 2 2 1 1000|does not fit|cancel_task'
        'take $STATUS; state 1 2 0 1000|impossible|get_status only'
        'take $TASK; state 1 2 0 1000|impossible|send_task only'
        'take $TASK; state 1 1 0 1000; begun 1 $$|beginning of no job|send_task only'
    )
    failed=
    for case in "${cases[@]}"; do
        IFS='|' read -r does called besides <<<"$case"
        fake_driver lies hello "$does" linger
        start_server --driver ./lies
        create
        case $besides in
        '') say "run $pid 50 x" ;;
        run) say "run $pid 50 x" "run $pid 50 x" ;;
        send_task*) say "send_task $pid 50" ;;
        *only) say "get_status $pid" ;;
        *) say "run $pid 50 x" "$besides $pid" ;;
        esac
        wait_until logged "driver $pid: .*: killed|died" || failed+="$case"$'\n'
        if ! logged "$called"; then
            failed+="$case: $(cat err)"$'\n'
        fi
        kill -QUIT "$server_pid"
        wait_until ended "$server_pid"
        hang_up
    done
    [ -z "$failed" ] || fail "$failed"
}

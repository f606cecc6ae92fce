#!/usr/bin/env bats
# The real driver, with the test at the other end of its socket. proto.h describes the frames.

load lib/helpers

# breaks_protocol LINE: when the server says that, the driver reports it and exits.
breaks_protocol() {
    start_as_server
    say "$1"
    expect 'gone 1' || fail "$1: $line"
    server_ends 1
    [[ $(<err) == 'driver['+([0-9])']: the server broke the protocol' ]] || fail "$1: $(<err)"
    hang_up
}

@test "driver: takes one task at a time, and reports a task's end before any later answer" {
    start_as_server
    say 'task 1 100000'
    expect 'state 1 1 0 100000'
    say 'task 2 5'
    expect 'state 2 1 1 +([0-9])'
    ((${line##* } > 5))
    say 'cancel 3 2' # not the task that runs
    expect 'state 3 ? 2 *'
    say 'cancel 4 1'
    expect 'end 0 2' 'state 4 0 0 0'
    say 'task 5 100000 1' # expired long ago
    expect 'state 5 ? 3 *'
    say 'task 6 1'
    expect 'state 6 *' 'end 0 1' # its time is over
    say exit
    expect 'gone 0'
}

# epoll reports first what was ready first: here a request that came before the task's time was
# over.
@test "driver: a task ends when its time is over, even if a request is handled before the timer" {
    start_as_server
    for ms in 200 2000 20000; do # a longer task if it ended before the driver was stopped
        say "task 1 $ms"
        expect 'state 1 *'
        begun=$(uptime_ms)
        stop_process "$driver"
        (($(uptime_ms) - begun >= ms - 50)) || break
        kill -CONT "$driver"
        expect 'end 0 1'
    done
    say 'status 2' 'task 3 100000'
    wait_until past $((begun + ms + 50))
    kill -CONT "$driver"
    expect 'end 0 1' 'state 2 0 *' 'state 3 1 *'
    say 'status 4'
    expect 'state 4 1 *'
}

@test "driver: if the server breaks the protocol, it reports that and exits with status 1" {
    cases=(
        'frame 2 2 0 1'                   # version
        'frame 4 2 0 1'
        'frame 3 9 0 1'                   # type
        "frame 3 66 16 1 $(printf '%032d' 0)" # a type that only a driver sends
        'frame 3 2 1 1 78'                # length
        'status 0'                        # no id where there should be one
        'frame 3 4 0 1'                   # an id where there should be none
        'task 1 0'                        # a task without a duration
        'task 1 31536000001'              # a task of more than a year
    )
    for case in "${cases[@]}"; do
        breaks_protocol "$case"
    done
}

@test "driver: understands a server that sends one byte at a time" {
    start_as_server
    for i in {1..20}; do
        say "slowly status $i"
        expect "state $i *"
    done
}

@test "driver: does not read requests while its answers are not read; in the end it answers all" {
    start_as_server
    say flood
    expect 'asked *'
    sent=${line#asked }
    ((sent > 100))
    timeout "$DEADLINE" head -n "$sent" <&"$from" | cut -d ' ' -f 1-2 | cmp - <(seq -f 'state %.0f' "$sent")
}

@test "driver: if it can no longer watch its socket, it reports that and exits" {
    export FAULT=epoll_ctl:MOD:1
    # shellcheck disable=SC2153 # not a misspelling of FAULT
    start_as_server "$FAULTY/driver"
    say flood
    timeout "$DEADLINE" cat <&"$from" >frames
    server_ends 1
    [[ $(<err) == 'driver['+([0-9])']: cannot watch the socket: '* ]]
}

@test "driver: its log can go to a socket; without standard error it is silent" {
    run -0 "$LIB/stderr-socket.pl" "$DRIVER" 3>&-
    [[ $output == '2 driver['+([0-9])']: started by the server, not by hand'* ]]
    run -2 bash -c "'$DRIVER' 2>&- 3>&-"
    [ -z "$output" ]
}

@test "driver: a standard error that takes no more does not hold it up" {
    mkfifo full
    exec {full}<>full
    "$HELPERS/repeat" 200 "$(printf '%0999d' 0)" >&"$full" 3>&- &
    started+=("$!")
    wait_until in_state "$!" S
    run -2 timeout -k 1 "$DEADLINE" bash -c "exec '$DRIVER' 2>&$full 3>&-"
}

@test "driver: takes a job by STATE, then tells its pid, and later its RESULT" {
    start_as_server
    say "run 1 100000 1000 - 0 echo \$\$ >pid; exit 3"
    expect 'state 1 2 0 100000' 'begun 1 +([0-9])'
    begun=${line##* }
    ((begun > 1 && begun != driver))
    expect 'result 1 3 3 0 0'
    [ "$(<pid)" = "$begun" ]
    say 'run 2 100000 1000 - 0 kill -10 $$'
    expect 'state 2 2 0 *' 'begun 2 *' 'result 2 4 10 0 0'
    say 'run 3 50 1000 - 0 sleep 1000'
    expect 'state 3 2 0 *' 'begun 3 *' 'result 3 5 0 0 0'
    say 'run 4 100 100 1 0 true' # expired
    expect 'state 4 0 3 0'
    say 'status 5'
    expect 'state 5 0 0 0'
    say exit
    expect 'gone 0'
}

@test "driver: a job that cannot be run has begun, and ends as in a shell" {
    start_as_server
    mkdir directory
    say 'run 1 100000 1000 - 0 ./missing'
    expect 'state 1 2 0 *' 'begun 1 *' 'result 1 3 127 0 0'
    say 'run 2 100000 1000 - 0 ./directory'
    expect 'state 2 2 0 *' 'begun 2 *' 'result 2 3 126 0 0'
    [[ $(<err) == *missing*$'\n'*directory* ]]
}

@test "driver: a job whose output files cannot be created has not begun; RESULT says why" {
    start_as_server
    say 'run 1 100 100 - 1 echo >ran' # the server has no directory for output: EBADF
    expect 'state 1 2 0 +([0-9])' 'result 1 6 9 2 0'
    say 'status 2' 'task 3 100000'
    expect 'state 2 0 0 0' 'state 3 1 0 100000'
    [ ! -e ran ]
}

@test "driver: a job finds its number and its slot in its environment" {
    export TAXI_JOB='' TAXI_SLOT=''
    start_as_server
    say "job 1 100000 1000 0 - 18446744073709551615 4294967295 0 echo \$TAXI_JOB \$TAXI_SLOT >one"
    expect 'state 1 2 0 *' 'begun 1 *' 'result 1 3 0 0 0'
    [ "$(<one)" = '18446744073709551615 4294967295' ]
    say "job 2 100000 1000 0 - 7 1 0 echo \$TAXI_JOB \$TAXI_SLOT >two"
    expect 'state 2 2 0 *' 'begun 2 *' 'result 2 3 0 0 0'
    [ "$(<two)" = '7 1' ]
}

@test "driver: while a job runs, it refuses RUN, TASK, and a CANCEL of any other job" {
    start_as_server
    say 'run 1 100000 1000 - 0 sleep 1000'
    expect 'state 1 2 0 *' 'begun 1 *'
    say 'run 2 100000 1000 - 0 echo no >no'
    expect 'state 2 2 1 +([0-9])'
    ((${line##* } > 100000 - 1000 * DEADLINE))
    say 'task 3 5' 'cancel 4 2' 'cancel 5 1'
    expect 'state 3 2 1 *' 'state 4 2 2 *' 'state 5 2 0 +([0-9])'
    ((${line##* } <= 1000))
    expect 'result 1 2 0 0 0'
    has_children_of "$driver" 0
    say 'cancel 6 1' 'task 7 100000' 'run 8 100000 1000 - 0 true'
    expect 'state 6 0 2 0' 'state 7 1 0 100000' 'state 8 1 1 *'
    [ ! -e no ]
}

# The requests come at once, so the driver reads them together.
@test "driver: each request after a RUN finds the job taken" {
    start_as_server
    mkfifo gate
    stop_process "$driver"
    say "run 1 100000 1000 - 0 read x <gate" 'run 2 100000 1000 - 0 echo no >no' 'status 3' 'cancel 4 1'
    kill -CONT "$driver"
    expect 'state 1 2 0 *' 'begun 1 *' 'state 2 2 1 *' 'state 3 2 0 *' 'state 4 2 0 *' 'result 1 2 0 0 *'
    [ ! -e no ]
}

@test "driver: sends RESULT when nothing is left of the job, not even a dead process" {
    start_as_server
    for i in {1..20}; do
        say "run $i 100000 1000 - 0 for i in 1 2 3 4 5; do sleep 1000 & setsid sleep 1000 & done; exit 2"
        expect "state $i *" "begun $i *" "result $i 3 2 0 *"
        has_children_of "$driver" 0
    done
}

@test "driver: understands a RUN with the longest text, also byte by byte" {
    start_as_server
    say 'run 1 100000 1000 - 0 exit { *10233}42' # 10240 bytes
    expect 'state 1 *' 'begun 1 *' 'result 1 3 42 0 0'
    say 'slowly run 2 100000 1000 - 0 exit { *4088}42'
    expect 'state 2 *' 'begun 2 *' 'result 2 3 42 0 0'
    say 'run 3 100000 1000 - 0 !'
    expect 'state 3 *' 'begun 3 *' 'result 3 3 *'
}

@test "driver: a RUN of words is run without a shell; flag 4 says so, also with the other flags" {
    start_as_server
    say "run 1 100000 1000 - 4 $HELPERS/args\\0a  b\\0\\0\$HOME;\\0"
    expect 'state 1 2 0 *' 'begun 1 *' 'result 1 3 0 0 0'
    [ "$(<err)" = '4:a  b,0:,6:$HOME;,' ]
    say "run 2 100000 1000 - 6 $HELPERS/args\\0b\\0"
    expect 'state 2 2 0 *' 'begun 2 *' 'result 2 3 0 0 0'
    say 'run 3 100000 1000 - 4 ./no such\0x\0'
    expect 'state 3 2 0 *' 'begun 3 *' 'result 3 3 127 0 0'
    [[ $(<err) == *$'\n1:b,\ndriver: ./no such: not found' ]]
    say "slowly run 4 100000 1000 - 4 true\\0{x*5000}\\0"
    expect 'state 4 2 0 *' 'begun 4 *' 'result 4 3 0 0 0'
    say 'run 5 100000 1000 - 0 exit 5' # the next one is a line again
    expect 'state 5 2 0 *' 'begun 5 *' 'result 5 3 5 0 0'
}

@test "driver: if a RUN breaks the protocol, it reports that and exits with status 1" {
    body=$(printf '0100000000000000%.0s' 1 2 3 4 5)0100000000000000
    cases=(
        'run 1 100000 1000 - 0 {x*10241}'    # text too long
        'run 1 100000 1000 - 0 '             # no text
        'run 1 100000 1000 - 0 echo \0 x'    # a zero byte in the text
        'run 1 100000 1000 - 0 \0'           # nothing but a zero byte
        'run 1 100000 1000 - 0 x\0'          # a zero byte at its end
        "frame 3 5 47 1 $(printf '%094d' 0)" # an incomplete body
        "frame 3 5 49 0 ${body}78"           # no id
        'run 1 0 1000 - 0 true'              # no time limit
        'run 1 31536000001 1000 - 0 true'    # a time limit of more than a year
        'run 1 1 0 - 0 true'                 # no grace period
        'run 1 1 31536000001 - 0 true'       # a grace period of more than a year
        'job 1 1 1 31536000001 - 1 1 0 true' # what is left may linger for more than a year
        'job 1 1 1 0 - 0 1 0 true'           # no number
        'job 1 1 1 0 - 1 0 0 true'           # no slot
        'job 1 1 1 0 - 1 1 4 true'           # words without a zero byte at the end
        'job 1 1 1 0 - 1 1 4 true\0x'
        'job 1 1 1 0 - 1 1 4 {x*10240}\0'    # words too long
        'job 1 1 1 0 - 1 1 8 true'           # an unknown flag
        "frame 3 68 48 1 $(printf '%096d' 0)" # types that only a driver sends
        'frame 3 69 4 1 01000000'
    )
    for case in "${cases[@]}"; do
        breaks_protocol "$case"
    done
}

@test "driver: on EXIT, on TERM, and if the server is gone, it ends its job before it exits" {
    start_as_server
    say 'run 1 100000 1000 - 0 (setsid sleep 1000 &); sleep 1000'
    expect 'state 1 *' 'begun 1 *'
    say exit
    expect 'result 1 2 0 0 *' 'gone 0'
    server_ends 0
    hang_up
    start_as_server
    say 'run 1 100000 1000 - 0 sleep 1000'
    expect 'state 1 *' 'begun 1 *'
    kill -TERM "$driver"
    expect 'result 1 2 0 0 *' 'gone 0'
    server_ends 0
    hang_up
    start_as_server
    say "run 1 100000 1000 - 0 $LIB/family.sh"
    expect 'state 1 *' 'begun 1 *'
    wait_until family_is_up
    end_input
    server_ends 0
    family_has_ended
}

@test "driver: the example in taxi-protocol(7) is one" {
    protocol_example 2 >other
    chmod +x other
    start_as_server ./other
    say 'task 1 100000' 'task 2 5' 'cancel 3 2' 'status 4' 'run 5 100 100 - 0 true' 'cancel 6 0'
    expect 'state 1 1 0 100000' 'state 2 1 1 *' 'state 3 1 2 *' 'state 4 1 0 *' 'state 5 1 1 *' 'end 0 2' 'state 6 0 0 0'
    say 'run 7 100 100 - 0 true' 'status 8' 'task 9 100000 1' 'task 10 1'
    expect 'state 7 2 0 100' 'result 7 6 38 4 0' 'state 8 0 0 0' 'state 9 0 3 0' 'state 10 1 0 1' 'end 0 1'
    say 'task 11 100000' exit
    expect 'state 11 1 0 100000' 'end 0 2' 'gone 0'
}

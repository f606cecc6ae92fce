#!/usr/bin/env bats
# Jobs: their numbers and slots, how each may end, and what the log says of them. A job that has not
# begun goes to another driver. Exit statuses are in job-status.bats.

load lib/helpers

# holds GATE SECONDS COMMAND...: gives a job that runs the command and then waits until the test
# opens that gate.
holds() {
    mkfifo "gate$1"
    say "run any $2 ${*:3}; read x <gate$1"
}

opens() {
    echo >"gate$1"
}

# given NAME: waits until a job has written the file, and prints it.
given() {
    wait_for "$1"
    cat "$1"
}

# ---- numbers and slots

@test "numbers: jobs of all clients are numbered together, in the order in which they are taken" {
    start_listening
    create_many 2
    attach one
    attach two
    for round in 0 1; do
        tell one "run any 50 echo \$TAXI_JOB >one"
        hear one "Job $((3 * round + 1)) Done exit 0"
        tell two "run ${pids[0]} 50 echo \$TAXI_JOB >two"
        hear two "Job $((3 * round + 2)) Done exit 0"
        say "run ${pids[1]} 50 echo \$TAXI_JOB >three"
        expect "Job $((3 * round + 3)) Done exit 0"
        [ "$(cat one two three | xargs)" = "$((3 * round + 1)) $((3 * round + 2)) $((3 * round + 3))" ]
    done
    stats_have runs=6 failures=0
}

@test "numbers: one that waits has its number; an Error gives none" {
    start_listening
    create
    busy_with "$pid"
    attach one
    attach two
    tell one 'run any 50 echo $TAXI_JOB >one'
    wait_until took 4
    tell two 'run any 50 echo $TAXI_JOB >two'
    wait_until took 5
    for refused in "run $pid 50 true" 'run 77 50 true' 'run any 0 true' 'run any 5'; do
        run -125 control "$refused"
        [[ $output == 'Error: '* ]]
    done
    open_gate
    expect 'Job 1 Done exit 0'
    hear one 'Job 2 Done exit 0'
    hear two 'Job 3 Done exit 0'
    [ "$(cat one two)" = $'2\n3' ]
    say "run $pid 50 true"
    expect 'Job 4 Done exit 0'
}

@test "numbers: a busy driver, or one that does not answer, gives the number back" {
    start_server -t 3
    create
    say "send_task $pid 50" "run $pid 5 true" "cancel_task $pid" "run $pid 5 true"
    expect '*' "Error: driver $pid Busy 50" "Driver $pid Available" 'Job 1 Done exit 0'
    stop_process "$pid"
    say "run $pid 5 true"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    wait_until logged 'responds again'
    say "run $pid 5 true"
    expect 'Job 2 Done exit 0'
}

@test "slots: each job that runs has the smallest number from 1 that no other has" {
    start_server
    create_many 4
    for i in 1 2 3; do
        holds $i 100 "echo \$TAXI_JOB \$TAXI_SLOT >slot$i"
        [ "$(given slot$i)" = "$i $i" ]
    done
    opens 2
    wait_until counted_free 2
    holds 4 100 'echo $TAXI_JOB $TAXI_SLOT >slot4'
    [ "$(given slot4)" = '4 2' ]
    holds 5 100 'echo $TAXI_JOB $TAXI_SLOT >slot5'
    [ "$(given slot5)" = '5 4' ]
    for i in 1 3 4 5; do opens $i; done
    expect 'Job 1 Done exit 0' 'Job 2 Done exit 0' 'Job 3 Done exit 0' 'Job 4 Done exit 0' 'Job 5 Done exit 0'
    say 'run any 5 echo $TAXI_JOB $TAXI_SLOT >slot6'
    expect 'Job 6 Done exit 0'
    [ "$(<slot6)" = '6 1' ]
}

# counted_free COUNT: that many drivers have no child, so no job.
counted_free() {
    local pid free=0
    for pid in "${pids[@]}"; do
        ! has_children_of "$pid" 0 || free=$((free + 1))
    done
    ((free == $1))
}

@test "slots: jobs that are unrun, cancelled or lost give theirs back" {
    mkdir -m 755 o
    start_server --output o
    create_many 2
    slot() {
        say 'run any 5 echo $TAXI_SLOT'
        expect "Job $1 Done exit 0"
        [ "$(<"o/$1.out")" = 1 ]
    }
    : >o/1.out
    say "run ${pids[0]} 5 true"
    expect 'Job 1 Done unrun *'
    slot 2
    say "run ${pids[0]} 50 sleep 1000" "cancel_task ${pids[0]}"
    expect 'Job 3 Done cancelled' '*'
    slot 4
    say "run ${pids[0]} 50 kill -9 \$PPID; sleep 1000"
    expect 'Job 5 Done lost *'
    slot 6
}

# ---- how jobs end

@test "--output: the shell's message about what cannot be run is in the job's file" {
    mkdir -m 755 o
    start_server --output o
    create
    echo 'not to be run' >plain
    say "run $pid 5 ./plain" "wait $pid" "run $pid 5 ./missing" "wait $pid"
    expect 'Job 1 Done exit 126' '*' 'Job 2 Done exit 127' '*'
    for i in 1 2; do
        line=$([ $i = 1 ] && echo ./plain || echo ./missing)
        sh -c -- "$line" 2>wanted || true
        diff wanted o/$i.err
        [ ! -s o/$i.out ]
    done
}

@test "lost: a job is Done only when nothing of it is left" {
    start_server -j
    say 'create_driver 2'
    for i in 0 1; do
        expect '*"available"}'
        pids[i]=${line//[^0-9]/}
    done
    expect '{"count":2}'
    family_of "${pids[0]}" 1000
    kill -KILL "${pids[0]}"
    reply
    family_has_ended
    [ "$line" = "{\"job\":1,\"driver\":${pids[0]},\"lost\":\"driver ${pids[0]} died (killed by signal 9)\",\"command\":\"$LIB/family.sh\"}" ]
    # A driver can be killed by its own job, too.
    say "run ${pids[1]} 1000 kill -9 \$PPID; sleep 1000"
    expect "{\"job\":2,\"driver\":${pids[1]},\"lost\":\"driver ${pids[1]} died (killed by signal 9)\",\"command\":*}"
}

@test "lost: is not reported while a process of the job is still there" {
    start_listening
    for try in {1..5}; do # after 5 s the reply comes in any case
        create
        say "run $pid 1000 sleep 1000"
        hold_job
        kill -KILL "$pid"
        wait_until no_driver_listed
        told=false
        ! read -r -t 0 -u "$from" || told=true
        exec {release}>&-
        wait "$holder"
        expect "Job $try Done lost driver $pid died (killed by signal 9)"
        $told || break
    done
    [ "$told" = false ]
}

no_driver_listed() {
    [[ $(control get_drivers) == '0 drivers' ]]
}

@test "at most once: a job for any driver that its driver has not read goes to another" {
    for end in STOP KILL; do
        if [[ $end == STOP ]]; then start_server -t 0.5; else start_server; fi
        create_many 2
        stop_process "${pids[0]}"
        # It is the next in turn. Its socket takes the job, which it does not read.
        say 'run any 50 echo $PPID $TAXI_JOB $TAXI_SLOT >>ran' 'run any 50 true'
        wait_until took 3
        if [[ $end == KILL ]]; then
            kill -KILL "${pids[0]}"
        fi
        expect 'Job 1 Done exit 0'
        [ "$(<ran)" = "${pids[1]} 1 1" ]
        expect 'Job 2 Done exit 0'
        if [[ $end == STOP ]]; then
            kill -CONT "${pids[0]}"
            wait_until logged "driver ${pids[0]} responds again"
            say "run ${pids[0]} 50 true"
            expect 'Job 3 Done exit 0' # so it has read the first one, too
            has err "server: driver ${pids[0]} is not responding"
        fi
        [ "$(<ran)" = "${pids[1]} 1 1" ]
        end_input
        server_ends 0
        hang_up
        rm ran
    done
}

@test "at most once: a job for just that driver is unrun when the driver dies before it reads it" {
    start_server
    create
    stop_process "$pid"
    say "run $pid 50 echo >ran"
    wait_until took 2
    kill -KILL "$pid"
    expect "Job 1 Done unrun driver $pid died (killed by signal 9)"
    say 'run any 5 true'
    expect 'Error: no driver'
    [ ! -e ran ]
    stats_have runs=0 lost=0 failures=0 errors=1
}

@test "stop: jobs that run are cancelled, those that wait or were not read are unrun" {
    start_listening
    create_many 2
    say 'session json'
    busy_with "${pids[0]}"
    stop_process "${pids[1]}"
    attach one -j
    attach two
    tell one "run ${pids[1]} 50 true"
    wait_until took 4
    say 'run any 50 echo waits'
    wait_until took 5
    tell two 'run any 50 true'
    wait_until took 6
    kill -TERM "$server_pid"
    kill -CONT "${pids[1]}"
    expect '{"job":1,"driver":*,"cancelled":true,"ms":*,"left":0,"command":"read x <gate"}'
    hear one "{\"job\":2,*}"
    expect '{"job":3,"unrun":"server is stopping","command":"echo waits"}'
    hear two 'Job 4 Done unrun server is stopping'
    server_ends 0
    logged '^server: (1 job|2 jobs) cancelled$'
    logged '^server: [23] jobs did not run$'
}

@test "dropped: what a client that is gone left waiting is unrun, and counted" {
    start_listening -v
    create
    busy_with "$pid"
    attach other
    tell other 'run any 50 echo never'
    wait_until took 4
    kill -KILL "${client_pid[other]}"
    wait_until logged '^server: job 2 Done unrun its client is gone: echo never$'
    say stats # answered after the job in front of it
    open_gate
    expect 'Job 1 Done exit 0' 'Stats * dropped=1 *'
}

# ---- what the log and JSON say

@test "log: each job of a batch that failed has a line, and no other has one" {
    printf '%s\n' create_driver 'run any 5 true' 'run any 5 exit 3' 'run any 5 kill -9 $$' 'run any 0.05 sleep 1000' \
        'run any 5 kill -9 $PPID; sleep 50' >lines
    run -4 --separate-stderr session <lines
    mapfile -t said <<<"$stderr"
    [[ ${said[0]} == 'server: job 2 Done exit 3 after '+([0-9])'.'[0-9][0-9][0-9]' s: exit 3' ]]
    [[ ${said[1]} == 'server: job 3 Done signal 9 after '+([0-9])'.'[0-9][0-9][0-9]' s: kill -9 $$' ]]
    [[ ${said[2]} == 'server: job 4 Done timeout after '+([0-9])'.'[0-9][0-9][0-9]' s: sleep 1000' ]]
    [[ ${said[3]} == 'server: driver '*' died (killed by signal 9)' ]]
    [[ ${said[4]} == 'server: job 5 Done lost driver '*' died (killed by signal 9) after '*' s: kill -9 $PPID; sleep 50' ]]
    [ ${#said[@]} = 5 ]
    [[ ${output##*$'\n'} == 'Job 5 Done lost driver '*' died (killed by signal 9)' ]]
}

@test "log: with -v it has the begin and end of each job of every client" {
    start_listening -v
    create
    run -3 control run any 5 exit 3
    say "run $pid 5 true"
    expect 'Job 2 Done exit 0'
    long=$(printf '%300s' '' | tr ' ' x)
    say "run $pid 5 echo $long >/dev/null"
    expect 'Job 3 Done exit 0'
    grep -o 'server: job .*' err >lines
    [ "$(wc -l <lines)" = 6 ]
    sed -E "s/process [0-9]+/process P/; s/after [0-9]+\.[0-9]{3} s/after T s/" lines | diff - <(
        echo "server: job 1 runs on driver $pid as process P: exit 3"
        echo 'server: job 1 Done exit 3 after T s: exit 3'
        echo "server: job 2 runs on driver $pid as process P: true"
        echo 'server: job 2 Done exit 0 after T s: true'
        # Of a long command, its beginning.
        echo "server: job 3 runs on driver $pid as process P: echo ${long::195}"
        echo "server: job 3 Done exit 0 after T s: echo ${long::195}"
    ) >&2
}

@test "log: without -v, nothing is said of other clients' jobs, nor at a prompt" {
    start_listening
    create
    run -1 control run any 5 false
    run -124 control run any 0.05 sleep 1000
    [ ! -s err ]
    start_terminal "'$SERVER'"
    shows '> '
    keys 'create_driver\nrun any 5 false\nget_drivers\nquit\n'
    shows '(^|^> )Job 1 Done exit 1'
    wait_until ended "$terminal_pid"
    run ! grep -a 'server: job' screen
}

@test "JSON: unrun and lost say why, and have no usage; the others have it" {
    mkdir -m 755 o
    start_server -j --output o
    say create_driver
    expect '*"available"}'
    pid=${line//[^0-9]/}
    files() { echo ",\"out\":\"o/$1.out\",\"err\":\"o/$1.err\"}"; }
    usage='"ms":+([0-9]).[0-9],"user_ms":+([0-9]).[0-9],"sys_ms":+([0-9]).[0-9],"maxrss_kb":+([0-9]),"left":0'
    mkdir o/1.err
    say "run $pid 5 echo no"
    expect "{\"job\":1,\"driver\":$pid,\"unrun\":\"cannot open o/1.err: File exists\",\"command\":\"echo no\"}"
    [ ! -e o/1.out ]
    say "run $pid 5 exit 3" "wait $pid" "run $pid 5 kill -9 \$\$" "wait $pid" "run $pid 0.05 sleep 9" "wait $pid" \
        "run $pid 5 sleep 9" "cancel_task $pid" "run $pid 5 true '\"' # "$'\303\244\377\001'
    expect "{\"job\":2,\"driver\":$pid,\"exit\":3,$usage,\"command\":\"exit 3\"$(files 2)" '*' \
        "{\"job\":3,\"driver\":$pid,\"signal\":9,$usage,\"command\":\"kill -9 \$\$\"$(files 3)" '*' \
        "{\"job\":4,\"driver\":$pid,\"timeout\":true,$usage,\"command\":\"sleep 9\"$(files 4)" '*' \
        "{\"job\":5,\"driver\":$pid,\"cancelled\":true,$usage,\"command\":\"sleep 9\"$(files 5)" '*' \
        "{\"job\":6,\"driver\":$pid,\"exit\":0,$usage,\"command\":\"true '\\\\\"' # "$'\303\244'"\\\\u00ff\\\\u0001\"$(files 6)"
    "$LIB/json.pl" <<<"$line" >/dev/null
    say "run $pid 5 kill -9 \$PPID; sleep 50"
    expect "{\"job\":7,\"driver\":$pid,\"lost\":\"driver $pid died (killed by signal 9)\",\"command\":*$(files 7)"
}

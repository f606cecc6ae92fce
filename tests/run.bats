#!/usr/bin/env bats
# Jobs: how run answers, which driver a job gets, and in what order.

load lib/helpers

@test "run: reports the job's exit status" {
    start_server
    create
    for status in 0 3 255; do
        say "run $pid 50 exit $status"
        expect "Job $((++job)) Done exit $status"
    done
    log_is 'server: job 2 Done exit 3 after *.??? s: exit 3' 'server: job 3 Done exit 255 after *'
    [ "$(wc -l <err)" = 2 ]
}

@test "run: reports the signal that ended the job" {
    start_server
    create
    for signal in 1 2 9 13 15; do
        say "run $pid 50 kill -$signal \$\$"
        expect "Job $((++job)) Done signal $signal"
        has err "server: job $job Done signal $signal after .* s: kill -$signal [$][$]"
    done
    [ "$(wc -l <err)" = 5 ]
}

@test "run: every mistake gets exactly one Error" {
    start_server
    say 'run' 'run 5' 'run any 5' 'run any 5  ' 'run any 0 true' 'run any -1 true' 'run any 31536001 true' \
        'run any x true' 'run 12x 5 true' 'run 77 5 true' 'run any 5 true'
    usage='Error: usage: run PID|any SECONDS COMMAND...'
    expect "$usage" "$usage" "$usage" "$usage" "Error: bad seconds '0' *" "Error: bad seconds '-1' *" \
        "Error: bad seconds '31536001' *" "Error: bad seconds 'x' *" "Error: bad pid '12x'" \
        'Error: no driver 77' 'Error: no driver'
    create
    printf 'run %s 5 echo \0x\n' "$pid" >&"$to"
    expect "Error: bad command 'echo \\\\x00x' (it has a zero byte)"
    log_is
}

@test "run: what cannot be run, or is not found, ends with the status and the message of a shell" {
    start_server
    create
    echo 'not to be run' >plain
    mkdir directory
    lines=(nosuchcommand ./missing './missing word' './missing;' ./plain './plain word' './plain;' ./directory /
        ./plain/file "$PWD/missing")
    for command in "${lines[@]}"; do
        status=0
        sh -c -- "$command" 2>>wanted || status=$?
        say "run $pid 5 $command" "wait $pid"
        expect "Job $((++job)) Done exit $status" "Driver $pid Available"
        ((status == 126 || status == 127))
    done
    diff wanted <(grep -v '^server: job .* Done exit 12[67] after ' err) >&2
    stats_have runs=11 failures=11 lost=0
}

@test "run: on a busy driver it is an Error, and the driver's task or job goes on" {
    start_listening
    create
    say "send_task $pid 50" "run $pid 5 true" "cancel_task $pid"
    expect "Driver $pid Busy 50" "Error: driver $pid Busy 50" "Driver $pid Available"
    busy_with "$pid"
    run -125 control run "$pid" 5 true
    [[ $output == "Error: driver $pid Busy "@(100|9?) ]]
    run -1 control send_task "$pid" 5
    [[ $output == "Error: driver $pid Busy "@(100|9?) ]]
    open_gate
    expect "Job 1 Done exit 0" # the refused ones have given their numbers back
    say "run $pid 50 true"
    expect "Job 2 Done exit 0"
}

@test "run: if the driver does not answer, that is an Error, and the job does not run later" {
    start_server -t 3
    create
    stop_process "$pid"
    say "run $pid 50 echo ran >ran"
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    wait_until logged 'responds again'
    say "run $pid 50 true"
    expect "Job 1 Done exit 0"
    [ ! -e ran ]
    stats_have unanswered=1 timeouts=0 runs=1
}

@test "run: the reply timeout is about the answer, and not about how long an exec takes" {
    printf '%s\n' '#!/bin/sh' "FAULT=execvp:delayed:1+ exec '$FAULTY/driver'" >slow
    chmod +x slow
    # The exec takes 0.3 s longer. A busy machine may be too slow to answer, but not ten times.
    for i in {1..10}; do
        start_server -t 0.1 --driver ./slow
        create
        say "run $pid 50 exec true" quit
        reply
        wait_until ended "$server_pid"
        hang_up
        [[ $line == *'not responding' ]] || break
    done
    [ "$line" = 'Job 1 Done exit 0' ]
}

@test "run: while a job runs, its driver is Busy with the time left" {
    start_listening
    create
    busy_with "$pid"
    run -0 control get_status "$pid"
    [[ $output == "Driver $pid Busy "@(100|9?) ]]
    run -0 control get_drivers
    [[ $output == "Driver $pid Busy "@(100|9?)$'\n''1 driver' ]]
    open_gate
    expect "Job 1 Done exit 0"
}

@test "run: during a job's grace period, its driver is Busy with the rest of that period" {
    start_listening -g 100
    create
    mkfifo gate
    asked() { has asked asked || read -r -t 0 -u "$from"; }
    for limit in 0.5 2 10 40; do # another try with more time if the job was not ready
        say "run $pid $limit trap 'echo asked >asked' TERM; until read x <gate; do :; done"
        job=$((job + 1))
        wait_until asked
        [[ ! -e asked ]] || break
        expect "Job $job Done timeout"
    done
    run -0 control get_status "$pid"
    [[ $output == "Driver $pid Busy "@(100|9?) ]]
    run -125 control run "$pid" 5 true
    [[ $output == "Error: driver $pid Busy "@(100|9?) ]]
    open_gate
    expect "Job $job Done timeout"
}

@test "wait: answers once the job has ended" {
    start_listening
    create
    busy_with "$pid"
    attach other
    tell other "wait $pid" wait
    wait_until took 4
    open_gate
    hear other "Driver $pid Available" '1 driver'
    expect "Job 1 Done exit 0"
}

@test "stats: count jobs, their failures and timeouts" {
    start_server -g 1000
    create
    say "run $pid 5 true" "wait $pid" "run $pid 5 false" "wait $pid" "run $pid 5 kill -9 \$\$" "wait $pid" \
        "run $pid 0.05 sleep 1000" "wait $pid" "run $pid 5 sleep 1000" "run $pid 5 true" "cancel_task $pid" \
        "run $pid 5 ./missing"
    expect '*exit 0' '*' '*exit 1' '*' '*signal 9' '*' '*timeout' '*' '*cancelled' 'Error: * Busy 5' \
        "Driver $pid Available" '*exit 127'
    stats_have runs=6 failures=3 timeouts=1 lost=0 dropped=0 left=0 unanswered=0 tasks=0 tasks_done=0
}

@test "run: does not hold back later commands; their replies come after the job's" {
    start_server
    create_many 2
    busy_with "${pids[0]}"
    say "run ${pids[1]} 50 echo ran >ran" "get_status ${pids[0]}" 'run any 50 echo too >too' fly
    wait_for ran
    wait_for too
    run ! read -r -t 0 -u "$from"
    open_gate
    expect "Job 1 Done exit 0" "Job 2 Done exit 0" "Driver ${pids[0]} Busy @(100|9?)" \
        "Job 3 Done exit 0" "Error: unknown command 'fly' (try help)"
}

@test "run: replies keep the order of the commands, whichever job ends first" {
    start_server
    create_many 4
    for i in {1..20}; do
        echo "run any 50 sleep 0.0$((i * 7 % 4)); exit $i"
    done >&"$to"
    for i in {1..20}; do
        expect "Job $i Done exit $i"
    done
    stats_have runs=20 failures=20
}

@test "run any: takes the driver that has been Available longest, so all of them in turn" {
    start_server
    create_many 3
    for pid in "${pids[1]}" "${pids[2]}" "${pids[0]}"; do
        say "run $pid 50 true"
        expect "Job $((++job)) Done exit 0"
    done
    for i in {1..6}; do
        say 'run any 50 echo $PPID >parent'
        expect "Job $((++job)) Done exit 0"
        [ "$(<parent)" = "${pids[i % 3]}" ]
    done
}

@test "run: each of many jobs ends exactly once, though some drivers are killed" {
    run -0 --separate-stderr "$ROOT/scripts/torture/jobs.sh" 400
    [[ $output == 'jobs: 400 jobs in '*'; books in order' ]]
    [ -z "$stderr" ]
}

#!/usr/bin/env bats
# A job may do harm to its own driver. The server keeps the limit, too, and nothing of the job is
# left; and what the server says of a job is true even if drivers answer too late.

load lib/helpers

# harmed HARM RESULT: a job whose first deed is the harm to its driver, and whose processes would run
# for ever, ends with that RESULT, a shell pattern; nothing of it is left, and the driver is replaced.
harmed() {
    start_server --drivers 1 --grace 0.1 -v
    say "run any 0.2 (setsid sleep 1000 &) ; $1; sleep 1000"
    expect "Job 1 Done $2"
    [ -z "$(of_this_test 'sleep 1000')" ]
    say "run any 100 true"
    expect 'Job 2 Done exit 0'
    logged '^server: driver [0-9]+: did not end its job in time: killed$'
}

# of_this_test ARGUMENTS: prints the processes with these arguments in our working directory.
of_this_test() {
    local process
    for process in /proc/[0-9]*; do
        [[ $process/cwd -ef . && $(tr '\0' ' ' <"$process/cmdline") == "$1 " ]] && echo "${process##*/}"
    done 2>/dev/null
    true
}

@test "server's limit: ends a job that stops its driver before the driver has told the job's pid" {
    harmed 'kill -STOP $PPID' timeout
    logged '^server: job 1 runs on driver [0-9]+ as process [0-9]+: .setsid sleep 1000 &. ; kill'
}

@test "server's limit: ends a job that stops its driver after the job's pid is known" {
    harmed "until grep -q 'job 1 runs' err; do :; done; kill -STOP \$PPID" timeout
}

@test "server's limit: ends a job that takes its driver's descriptors" {
    command -v prlimit >/dev/null || skip 'no prlimit to take them with'
    start_server --drivers 1 --grace 0.1
    say "run any 0.3 prlimit --nofile=0:0 --pid \$PPID; (setsid sleep 1000 &) ; sleep 1000"
    reply
    [[ $line == 'Job 1 Done timeout' || $line == 'Job 1 Done lost '* ]] || fail "$line"
    [ -z "$(of_this_test 'sleep 1000')" ]
}

@test "server's limit: what a job has left ends, though its driver was stopped before it could see it" {
    start_server --drivers 1 --grace 0.1
    say 'run any 0.2 kill -STOP $PPID; (setsid sleep 1000 &) ; exit 3'
    expect 'Job 1 Done lost driver +([0-9]) did not report its end in time'
    [ -z "$(of_this_test 'sleep 1000')" ]
}

@test "server's limit: a driver that was stopped beyond the limit, and goes on in time, ends its job" {
    start_server --grace 0.1 -v
    create
    say "run $pid 1 sleep 1000"
    wait_until logged "job 1 runs"
    kill -STOP "$pid"
    wait_until past $(($(uptime_ms) + 1200))
    kill -CONT "$pid"
    expect 'Job 1 Done timeout'
    say "get_status $pid"
    expect "Driver $pid Available"
}

# The server has read its timer and waits for the next deadline.
rests_with_deadline() {
    in_state "$1" S && ! timer_is_off "$1"
}

@test "server's limit: if the server was stopped beyond the limit, too, the driver still ends its job" {
    start_server --grace 0.1 -v
    create
    say "run $pid 1 trap 'echo asked >asked' TERM; sleep 1000 & wait"
    wait_until logged "job 1 runs"
    kill -STOP "$server_pid" "$pid"
    wait_until past $(($(uptime_ms) + 6000))
    kill -CONT "$server_pid"
    wait_until rests_with_deadline "$server_pid"
    kill -CONT "$pid"
    expect 'Job 1 Done timeout'
    [ -s asked ]
    say "get_status $pid"
    expect "Driver $pid Available"
}

# audit: each job in the file replies ran as often as its reply says; prints how many ran.
audit() {
    awk 'FILENAME == "ran" { count += times[$1]++ == 0; next }
        /^Job / && ($4 != "exit" || times[$2] != 1) { print "job " $2 ", " $4 ", ran " times[$2] + 0 " times" }
        END { print count + 0 }' ran replies
}

@test "at most once: with a reply timeout of a millisecond, no job that ran gets an Error" {
    touch ran
    { echo create_driver 4; yes 'run any 100 echo $TAXI_JOB >>ran' | head -n 300; } >commands
    "$SERVER" -t 0.001 <commands >replies 2>err
    [ "$(grep -c '^Job ' replies)" = 300 ]
    [ "$(audit)" = 300 ]
}

@test "at most once: a job for a driver that answers too late gets an Error, and does not run" {
    touch ran
    start_server -t 0.001
    create_many 2
    for ((i = 0; i < 200; i++)); do
        say "run ${pids[i % 2]} 100 echo \$TAXI_JOB >>ran"
        reply
        echo "$line"
    done >replies
    run ! grep -vxE 'Job [0-9]+ Done exit 0|Error: driver [0-9]+ (is not responding|Busy [0-9]+)' replies
    [ "$(audit)" = "$(grep -c '^Job ' replies)" ]
}

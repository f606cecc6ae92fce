#!/usr/bin/env bats
# The queue: submitted jobs, and jobs by their numbers.

load lib/helpers

# gate_job: the driver is busy with job 1 until the test opens the gate.
gate_job() {
    mkfifo gate
    say 'submit 100 read x <gate; exit 3'
    expect 'Job 1 Waiting'
    wait_until runs_job 1
}

runs_job() {
    say get_jobs
    local found=1
    while reply && [[ $line != *' job' && $line != *' jobs' ]]; do
        [[ $line != "Job $1 Running "* ]] || found=0
    done
    return $found
}

@test "submit: answers at once, and any driver runs the job" {
    start_server
    create
    gate_job
    say 'submit 50 echo a >>ran' 'submit 0.5 sleep 1000'
    expect 'Job 2 Waiting' 'Job 3 Waiting'
    [ ! -e ran ]
    open_gate
    say 'wait_job 3' 'wait_job 1' 'wait_job 2'
    expect 'Job 3 Done timeout' 'Job 1 Done exit 3' 'Job 2 Done exit 0'
    [ "$(<ran)" = a ]
    stats_have runs=3 failures=1 timeouts=1 waiting=0 running=0
}

@test "submit: a job goes on when its client has gone, waiting or running" {
    start_server --listen socket
    create
    mkfifo gate
    "$SERVER" --connect socket submit 100 'read x <gate; echo a >>ran' >/dev/null
    "$SERVER" --connect socket submit 100 'echo b >>ran' >/dev/null
    open_gate
    say 'wait_job 1' 'wait_job 2'
    expect 'Job 1 Done exit 0' 'Job 2 Done exit 0'
    [ "$(xargs <ran)" = 'a b' ]
    stats_have dropped=0
}

@test "submit: the end of standard input waits for its jobs, and they count for the status" {
    run -0 session <<<'create_driver
submit 50 sleep 0.1; echo a >ran'
    [ "$(<ran)" = a ]
    run -4 --separate-stderr session <<<'create_driver
submit 50 exit 3'
    [ "${lines[1]}" = 'Job 1 Waiting' ]
    # shellcheck disable=SC2154
    [[ $stderr == 'server: job 1 Done exit 3 after '*' s: exit 3' ]]
    run -4 session <<<'submit 0 true'
    run -4 session <<<'submit 5 true' # no driver, and nobody who could create one
}

@test "submit: waits until there is a driver" {
    start_server
    say 'submit 50 echo a >>ran' get_jobs
    expect 'Job 1 Waiting' 'Job 1 Waiting echo a >>ran' '1 job'
    create
    say 'wait_job 1'
    expect 'Job 1 Done exit 0'
    say "delete_driver $pid" 'submit 50 echo b >>ran' create_driver
    expect '*' 'Job 2 Waiting' '*'
    end_input
    server_ends 0
    [ "$(xargs <ran)" = 'a b' ]
}

@test "submit: without a driver, a wait that follows ends, and so does the job, for nobody can create one any more" {
    start_server # its input stays open
    say 'submit 50 true' wait 'submit 50 true' 'wait own' 'submit 50 true' 'wait_job 3' get_jobs
    expect 'Job 1 Waiting' '0 drivers' 'Job 2 Waiting' '0 drivers' 'Job 3 Waiting' 'Job 3 Done unrun no driver' '0 jobs'
    # What does not wait itself leaves the job as it is.
    say 'submit 50 true' 'send_task any 5' 'run any 5 true' 'create_driver 1' 'wait_job 4'
    expect 'Job 4 Waiting' 'Error: no driver' 'Error: no driver' 'Driver *' '1 driver' 'Job 4 Done exit 0'
}

@test "submit: if the only driver dies, a wait does not wait for ever" {
    start_server
    create
    # shellcheck disable=SC2016
    say 'submit 50 kill -9 $PPID; sleep 1000' 'submit 50 true' wait
    expect 'Job 1 Waiting' 'Job 2 Waiting' '0 drivers'
    create
    say 'wait_job 1' 'wait_job 2'
    expect 'Job 1 Done lost *' 'Job 2 Done unrun no driver'
}

@test "submit: a wait for what has begun keeps no job from the driver that is created next" {
    start_server
    create
    # shellcheck disable=SC2016
    say 'submit 50 kill -9 $PPID; sleep 1000' 'submit 50 true' 'wait_job 1' create_driver 'wait_job 2'
    expect 'Job 1 Waiting' 'Job 2 Waiting' 'Job 1 Done lost *' 'Driver * Available' 'Job 2 Done exit 0'
    say "delete_driver $(children_of "$server_pid")" pause 'submit 50 true' wait 'create_driver 1' resume 'wait_job 3'
    expect 'Driver * Deleted' Paused 'Job 3 Waiting' '0 drivers' 'Driver *' '1 driver' Resumed 'Job 3 Done exit 0'
}

@test "submit: while its jobs wait without a driver, what cannot wait is refused" {
    start_server --listen socket
    say 'submit 50 true' 'send_task any 5' 'send_task any 5' create_driver
    expect 'Job 1 Waiting' 'Error: no driver' 'Error: no driver' 'Driver * Available'
    pid=${line//[^0-9]/}
    say 'wait_job 1' "send_task $pid 1000" 'submit 50 true' 'send_task any 5'
    expect 'Job 1 Done exit 0' "Driver $pid Busy 1000" 'Job 2 Waiting'
    wait_until took 8
    "$SERVER" --connect socket delete_driver "$pid"
    expect 'Error: no driver'
    say get_jobs
    expect 'Job 2 Waiting true' '1 job'
}

@test "submit: another driver gets the job of one that died before it took it" {
    start_server
    create
    first=$pid
    kill -STOP "$first"
    wait_until in_state "$first" T
    say 'submit 50 echo a >>ran'
    expect 'Job 1 Waiting'
    create
    kill -KILL "$first"
    say 'wait_job 1'
    expect 'Job 1 Done exit 0'
    [ "$(<ran)" = a ]
}

@test "submit: wrong usage and bad input get one Error each" {
    start_server
    say submit 'submit 5' 'submit x true' 'submit 0 true' 'wait_job' 'wait_job x' 'wait_job 0' 'wait_job 7' \
        'cancel_job 7' 'cancel_job 99999999999999999999' 'get_jobs some' 'pause 1' 'resume 1' 'wait mine'
    expect 'Error: usage: submit SECONDS COMMAND...' 'Error: usage: submit SECONDS COMMAND...' \
        "Error: bad seconds 'x' *" "Error: bad seconds '0' *" 'Error: usage: wait_job N' "Error: bad job 'x'" \
        "Error: bad job '0'" 'Error: no job 7' 'Error: no job 7' 'Error: no job 99999999999999999999' \
        'Error: usage: get_jobs \[all\]' 'Error: usage: pause' 'Error: usage: resume' "Error: bad pid 'mine'"
    stats_have runs=0 waiting=0 errors=14
}

@test "submit: 100,000 may wait, and the next is an Error" {
    start_server
    create
    gate_job
    flood 100000 'submit 60 true'
    [ "$(head -n 100000 <&"$from" | grep -c '^Job [0-9]* Waiting$')" = 100000 ]
    say 'submit 60 echo no >>ran'
    expect 'Error: queue is full (limit 100000)'
    stats_have waiting=100000 running=1
    [[ ${TEST_BUILD-} == *asan* ]] || # a sanitizer keeps memory as it likes
        [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$server_pid/status")" -lt 65536 ]
    say get_jobs
    [ "$(head -n 100002 <&"$from" | tail -n 1)" = '100001 jobs' ]
    say 'cancel_job 2' 'submit 60 echo last'
    expect 'Job 2 Done cancelled' 'Job 100002 Waiting'
    kill -TERM "$server_pid"
    server_ends 4
}

@test "submit: a crowd does not starve another client" {
    start_server --listen socket
    create
    gate_job
    flood 300 'submit 60 echo >>crowd'
    [ "$(head -n 300 <&"$from" | wc -l)" = 300 ]
    "$SERVER" --connect socket submit 60 'wc -l <crowd >seen' >/dev/null
    "$SERVER" --connect socket run any 60 'wc -l <crowd >seen2' >/dev/null 3>&- &
    runner=$!
    started+=("$runner")
    wait_until has_waiting 302
    open_gate
    wait_until test -s seen
    wait_until test -s seen2
    [ "$(<seen)" -le 3 ]
    [ "$(<seen2)" -le 3 ]
    say wait
    expect '1 driver'
    [ "$(wc -l <crowd)" = 300 ]
}

@test "get_jobs: what waits and runs, by number; all: also what is Done" {
    start_server
    create
    create
    gate_job
    say "run $pid 100 true" 'submit 50 exit 7' 'wait_job 3' 'submit 100 read y <gate # é	x' get_jobs
    expect 'Job 2 Done exit 0' 'Job 3 Waiting' 'Job 3 Done exit 7' 'Job 4 Waiting'
    expect 'Job 1 Running +([0-9]) @([0-9][0-9]|100) read x <gate; exit 3' \
        'Job 4 @(Waiting|Running +([0-9]) @([0-9][0-9]|100)) read y <gate # é\\x09x' '2 jobs'
    wait_until runs_job 4
    say 'submit 5 true' 'get_jobs all'
    expect 'Job 5 Waiting' 'Job 1 Running *' $'Job 2 Done exit 0\ttrue' $'Job 3 Done exit 7\texit 7' \
        'Job 4 Running *' 'Job 5 Waiting true' '5 jobs'
    say 'cancel_job 1' 'cancel_job 4' 'wait_job 5' get_jobs
    expect 'Job 1 Done cancelled' 'Job 4 Done cancelled' 'Job 5 Done exit 0' '0 jobs'
}

@test "get_jobs: no control character of a command reaches the terminal, also in UTF-8; the rest of it does" {
    start_server --drivers 1
    say pause $'submit 5 : \302\233 \302\200 \302\237 \302\240 \304\233 \342\202\254 \233 \177' get_jobs
    expect Paused 'Job 1 Waiting' \
        $'Job 1 Waiting : \\\\xc2\\\\x9b \\\\xc2\\\\x80 \\\\xc2\\\\x9f \302\240 \304\233 \342\202\254 \\\\x9b \\\\x7f' '1 job'
}

@test "get_jobs: the last 1,000 ends are kept" {
    start_server --drivers 1
    flood 1005 'submit 60 exit 0'
    [ "$(head -n 1005 <&"$from" | wc -l)" = 1005 ]
    say wait 'wait_job 6' 'wait_job 1' 'cancel_job 6' 'cancel_job 1'
    expect '1 driver' 'Job 6 Done exit 0' 'Error: no job 1' 'Error: job 6 is Done' 'Error: no job 1'
    say 'get_jobs all'
    [ "$(head -n 1001 <&"$from" | tail -n 1)" = '1000 jobs' ]
    say get_jobs
    expect '0 jobs'
}

@test "cancel_job: cancels a job that waits or runs, also one of run, and answers once nothing of it is left" {
    start_server --listen socket --grace 0.1
    create
    say 'submit 100 trap "" TERM; echo $$ >up; while :; do sleep 0.1; done' 'submit 100 : >ran'
    expect 'Job 1 Waiting' 'Job 2 Waiting'
    wait_until test -s up
    "$SERVER" --connect socket run any 100 ': >ran' >heard 3>&- &
    started+=("$!")
    wait_until has_waiting 2
    say 'cancel_job 3' 'cancel_job 2' 'cancel_job 1' 'cancel_job 1'
    expect 'Job 3 Done cancelled' 'Job 2 Done cancelled' 'Job 1 Done cancelled' 'Error: job 1 is Done'
    gone "$(<up)" || ended "$(<up)"
    wait_until test -s heard
    [ "$(<heard)" = 'Job 3 Done cancelled' ]
    [ ! -e ran ]
    stats_have runs=1 failures=0 lost=0 waiting=0 running=0
}

has_waiting() {
    "$SERVER" --connect socket stats | grep -q " waiting=$1 "
}

@test "cancel_job: a driver that is stopped is killed, and the job does not go on" {
    start_server --grace 0.1
    create
    say 'submit 1000 echo $$ >up; sleep 1000'
    expect 'Job 1 Waiting'
    wait_until test -s up
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say 'cancel_job 1'
    expect '@(Job 1 Done cancelled|Error: job 1 is Done)'
    wait_until ended "$(<up)"
    wait_until ended "$pid"
}

@test "pause: nothing that waits for any driver gets one; resume goes on" {
    start_server
    create
    say pause 'submit 50 echo a >>ran' stats wait 'wait own' "run $pid 50 echo b >>ran" get_jobs
    expect Paused 'Job 1 Waiting' 'Stats * waiting=1 running=0 paused=1 *' '1 driver' '1 driver' \
        'Job 2 Done exit 0' 'Job 1 Waiting echo a >>ran' '1 job'
    [ "$(<ran)" = b ]
    say resume 'wait own' stats
    expect Resumed '1 driver' 'Stats * waiting=0 running=0 paused=0 *'
    [ "$(xargs <ran)" = 'b a' ]
    say pause 'submit 50 echo c >>ran'
    expect Paused 'Job 3 Waiting'
    end_input # nobody could resume it any more
    server_ends 0
    [ "$(xargs <ran)" = 'b a c' ]
}

@test "pause: a command that waits for any driver resumes the server, since its client's resume could only come later" {
    start_server
    create
    for waits in 'run any 50 true' 'send_task any 0.01'; do
        say pause "$waits" resume
        expect Paused '*' Resumed
    done
    say wait pause 'submit 50 echo a >>ran' 'wait_job 2' stats
    expect '1 driver' Paused 'Job 2 Waiting' 'Job 2 Done exit 0' '* paused=0 *'
    # But not while something runs: the command may be waiting for its end.
    mkfifo gate
    say "run $pid 50 read x <gate" pause 'submit 50 true' 'wait_job 3'
    wait_until has_children_of "$pid" 1
    open_gate
    expect 'Job 3 Done exit 0' Paused 'Job 4 Waiting' 'Job 3 Done exit 0'
    say get_jobs resume
    expect 'Job 4 Waiting true' '1 job' Resumed
}

@test "wait own: for this client's tasks and jobs, not for other clients'" {
    start_server --listen socket
    create
    mine=$pid
    create
    "$SERVER" --connect socket send_task "$pid" 1000 >/dev/null
    mkfifo gate
    say "send_task $mine 0.05" 'wait own' 'submit 100 read x <gate' 'wait own'
    expect "Driver $mine Busy 1" '2 drivers' 'Job 1 Waiting'
    wait_until has_children_of "$mine" 1
    open_gate
    expect '2 drivers'
    say 'wait own'
    expect '2 drivers'
    say "send_task $mine 1000" 'wait own'
    expect "Driver $mine Busy 1000"
    kill -KILL "$mine"
    expect '1 driver'
}

@test "stop: what runs is cancelled, what waits is unrun, and a client that waits for a job hears its Done" {
    start_server --listen socket
    create
    gate_job
    say 'submit 50 : >ran'
    expect 'Job 2 Waiting'
    "$SERVER" --connect socket wait_job 2 >heard 3>&- &
    waiter=$!
    started+=("$waiter")
    "$SERVER" --connect socket wait_job 1 >heard1 3>&- &
    started+=("$!")
    wait_until two_wait
    kill -TERM "$server_pid"
    wait_until test -s heard
    wait_until test -s heard1
    [ "$(<heard)" = 'Job 2 Done unrun server is stopping' ]
    [ "$(<heard1)" = 'Job 1 Done cancelled' ]
    server_ends 0
    [ ! -e ran ]
}

# The two clients wait, and there is a third one, which asks.
two_wait() {
    "$SERVER" --connect socket stats >answer
    grep -q ' clients=4 ' answer && (($(grep -o 'commands=[0-9]*' answer | cut -d = -f 2) >= 7))
}

@test "submit: a job whose driver is killed is lost, once, and nothing of it is left" {
    start_server
    create
    say 'submit 100 sleep 1000 & echo $! >up; wait'
    expect 'Job 1 Waiting'
    wait_until test -s up
    say 'wait_job 1'
    kill -KILL "$pid"
    expect "Job 1 Done lost driver $pid died (killed by signal 9)"
    stats_have lost=1
    wait_until ended "$(<up)"
}

@test "JSON: the replies of the queue" {
    start_server --json
    say create_driver
    expect '{"driver":*'
    mkfifo gate
    say 'submit 100 read x <gate'
    expect '{"job":1,"state":"waiting","command":"read x <gate"}'
    say 'submit 50 echo "é"' pause resume
    expect '{"job":2,"state":"waiting","command":"echo \\"é\\""}' '{"paused":true}' '{"paused":false}'
    say 'cancel_job 1' 'wait_job 2' 'wait_job 9' 'get_jobs all'
    expect '{"job":1,"driver":+([0-9]),"cancelled":true,*"command":"read x <gate"}' \
        '{"job":2,"driver":+([0-9]),"exit":0,*"command":"echo \\"é\\""}' \
        '{"error":"no job 9","code":"no_job"}' '{"job":1,*' '{"job":2,*' '{"count":2}'
}

@test "--resume: submitted jobs that had not begun wait again, with their number and limit" {
    start_server --log jobs.log
    create
    gate_job
    say 'submit 0.3 sleep 1000' 'submit 50 echo b >>ran' 'submit 50 echo c >>ran' 'cancel_job 4'
    expect 'Job 2 Waiting' 'Job 3 Waiting' 'Job 4 Waiting' 'Job 4 Done cancelled'
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    hang_up
    start_server --log jobs.log --resume
    say get_jobs 'submit 50 echo b >>ran' 'submit 50 echo d >>ran' create_driver 'wait own' 'wait_job 2' 'wait_job 3' 'wait_job 5'
    expect 'Job 2 Waiting sleep 1000' 'Job 3 Waiting echo b >>ran' '2 jobs' 'Job 3 Waiting' 'Job 5 Waiting' '*' \
        '1 driver' 'Job 2 Done timeout' 'Job 3 Done exit 0' 'Job 5 Done exit 0'
    [ "$(xargs <ran)" = 'b d' ]
    grep -qx 'server: job 1 Done lost its end is not in the log: read x <gate; exit 3' err
    end_input
    server_ends 0 # what timed out was given to the server of before
    run -0 session --log jobs.log --resume <<<'get_jobs'
    [ "$output" = '0 jobs' ]
}

# resumed_by_then JOB: the job was submitted to a server that was killed; it runs in the next one.
resumed_by_then() {
    start_server --log jobs.log
    say "submit 50 $1"
    expect 'Job 1 Waiting'
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
    start_server --log jobs.log --resume --drivers 1
    wait_until test -e ran
}

@test "--resume: a submitted job that ran before standard input gives it again is not run twice, and counts for the status" {
    resumed_by_then 'echo >>ran; exit 3'
    say 'submit 50 echo >>ran; exit 3' 'wait_job 1'
    expect 'Job 1 @(Waiting|Done exit 3)' 'Job 1 Done exit 3'
    end_input
    server_ends 4
    [ "$(wc -l <ran)" = 1 ]
}

@test "--resume: a submitted job that still runs when standard input gives it again is not run twice" {
    mkfifo gate
    resumed_by_then 'echo >>ran; read x <gate'
    say 'submit 50 echo >>ran; read x <gate'
    expect 'Job 1 Waiting'
    echo >gate
    end_input
    server_ends 0
    [ "$(wc -l <ran)" = 1 ]
}

@test "--resume: what ended long ago is not submitted twice" {
    seq 1100 | sed 's/.*/submit 50 echo & >>ran/' >commands
    start_server --log jobs.log
    cat commands >&"$to"
    [ "$(head -n 1100 <&"$from" | grep -c Waiting)" = 1100 ]
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
    start_server --log jobs.log --resume --drivers 1
    say 'wait own'
    expect '1 driver'
    cat commands >&"$to"
    [ "$(head -n 1100 <&"$from" | grep -c '^Job [0-9]* Done exit 0$')" = 1100 ]
    end_input
    server_ends 0
    [ "$(wc -l <ran)" = 1100 ]
}

@test "--resume: jobs of other clients are no batch" {
    start_server --log jobs.log
    say 'submit 50 exit 1' 'submit 50 : >ran'
    expect 'Job 1 Waiting' 'Job 2 Waiting'
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
    start_server --log jobs.log --resume --halt soon --drivers 1
    say 'wait own'
    expect '1 driver'
    [ -e ran ]
    end_input
    server_ends 0
}

@test "--resume: of two servers' jobs with the same number, one gets a new number" {
    for job in 'echo a >>ran' 'echo b >>ran'; do
        start_server --log jobs.log
        say "submit 50 $job"
        expect 'Job 1 Waiting'
        kill -KILL "$server_pid"
        wait_until ended "$server_pid"
        hang_up
    done
    start_server --log jobs.log --resume
    say get_jobs 'cancel_job 2'
    expect 'Job 1 Waiting echo a >>ran' 'Job 2 Waiting echo b >>ran' '2 jobs' 'Job 2 Done cancelled'
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
    start_server --log jobs.log --resume --drivers 1
    say 'wait own' get_jobs
    expect '1 driver' '0 jobs'
    [ "$(<ran)" = a ]
}

@test "wait_job: a number that a client waits for is not given again" {
    start_server --listen socket --reply-timeout 0.3
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    say "run $pid 5 true"
    "$SERVER" --connect socket wait_job 1 >heard 3>&- &
    started+=("$!")
    expect "Error: driver $pid is not responding"
    kill -CONT "$pid"
    say 'submit 50 true'
    expect 'Job [12] Waiting'
    wait_until test -s heard
    [[ $(<heard) == 'Job 1 Done unrun driver '*' did not take it' || $(<heard) == 'Error: no job 1' ]]
    [[ $(<heard) != 'Job 1 '* || $line == 'Job 2 Waiting' ]]
}

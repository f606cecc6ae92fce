#!/usr/bin/env bats
# --log and --resume: files that are no logs, damaged ones, and logs of several servers.

load lib/helpers

TIME=2026-11-26T15:50:36.333Z

# refused FILE REASON [OPTION...]: the file is refused as a log, and stays as it is.
refused() {
    cp "$1" copy
    run -1 session --log "$1" "${@:3}" </dev/null
    [ "$output" = "server: cannot write the log $1: $2" ] || fail "$output"
    cmp "$1" copy
}

@test "--log: a file that is no log of jobs is refused, and stays as it is" {
    printf '{"precious":1}' >p.json
    refused p.json 'it is no log of jobs' --json
    refused p.json 'it is in JSON (try --json)'
    printf 1234 >server.pid
    refused server.pid 'it is no log of jobs'
    printf 'a text\nof mine' >text
    refused text 'it is no log of jobs'
    printf 'a text\nof mine\n' >text
    refused text 'it is no log of jobs' --resume
    head -c 200000 /dev/zero >zeros
    refused zeros 'it is no log of jobs'
    cp "$SERVER" program
    refused program 'it is no log of jobs' --resume
    truncate -s 3G sparse
    run -1 session --log sparse </dev/null
    [ "$output" = 'server: cannot write the log sparse: it is no log of jobs' ]
}

@test "--log: text and JSON do not mix in a file" {
    printf 'create_driver\nrun any 5 true\n' | session --log text.log >/dev/null
    printf 'create_driver\nrun any 5 true\n' | session --json --log json.log >/dev/null
    refused text.log 'it is not in JSON' --json
    refused json.log 'it is in JSON (try --json)'
    printf '%s' "$TIME" >>text.log
    refused text.log 'it is not in JSON' --json
}

@test "--log: a torn line is dropped only when nothing else is wrong" {
    printf '%s\t1\tWait' "$TIME" >torn.log
    run -1 session --log torn.log --output /dev/null/x </dev/null
    [ "$(<torn.log)" = "$TIME	1	Wait" ]
    run -0 session --log torn.log </dev/null
    [ ! -s torn.log ]
}

@test "--log: zero bytes at its end, which a power failure leaves, are dropped as a torn line is" {
    for zeros in 1 5000 3000000; do
        for torn in '' "$TIME	2	Wait"; do
            printf '%s\n%s' "$TIME	1	Done	7	0.100	exit 3	true" "$torn" >jobs.log
            head -c "$zeros" /dev/zero >>jobs.log
            run -4 --separate-stderr session --log jobs.log --resume <<<'run any 5 true'
            [ "$output" = 'Job 1 Done exit 3' ]
            [ "$stderr" = 'server: the last line of the log jobs.log was torn, and is dropped' ]
            [ "$(<jobs.log)" = "$TIME	1	Done	7	0.100	exit 3	true" ]
        done
    done
    printf '%s\n\0\n' "$TIME	1	Done	7	0.100	exit 3	true" >jobs.log
    refused jobs.log 'it is no log of jobs'
    head -c 10 /dev/zero >zeros
    refused zeros 'it is no log of jobs'
    printf 'a text\n\0\0' >text
    refused text 'it is no log of jobs'
}

@test "--resume: a line with a command that is too long, or an odd reason or number, is refused" {
    long=$(printf '%011000d' 0)
    for bad in "$TIME	1	Waiting	any	5.000	-	$long$long$long$long$long$long" "$TIME	1	Waiting	-	5.000	-	$long" \
        "$TIME	1	Waiting	-	0.000	-	true" "$TIME	1	Waiting	-	5.000	-	" "$TIME	1	Waiting	-	5.000	-	a\x00b" "$TIME	1	Done	7	0.1	lost $(printf '\033[31m')	x" \
        "$TIME	1	Done	7	0.1	lost $(printf '%01020d' 0)	x"; do
        printf '%s\n' "$bad" "$TIME	2	Waiting	any	5.000	-	true" >bad.log
        run -1 session --log bad.log --resume </dev/null
        [ "$output" = 'server: cannot resume from bad.log: line 1: it is no log of jobs' ]
    done
    printf '%s\n' "$TIME	999999999999999	Waiting	any	5.000	-	true" >bad.log
    run -1 session --log bad.log --resume </dev/null
    [ "$output" = 'server: cannot go on from bad.log: number too large (limit 999999999999998)' ]
}

@test "--resume: how long a driver says that its job ran does not matter" {
    printf '%s\n' "$TIME	1	Done	7	18446744073709.551	exit 0	true" >odd.log
    run -0 session --log odd.log --resume <<<'run any 5 true'
    [ "$output" = 'Job 1 Done exit 0' ]
}

is_logged_twice() {
    (($(grep -c $'\t1\tWaiting\t' jobs.log) == 2))
}

@test "--resume: what had begun is lost, though another server has begun to count anew" {
    start_server --log jobs.log
    create
    say 'run any 50 echo >>ran; : >up; sleep 1000'
    wait_until test -e up
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    hang_up
    fake_driver silent linger
    start_server --log jobs.log --drivers 1 --driver ./silent --start-timeout 0.2 --grace 0.1
    say 'run any 50 echo >>ran; : >up; sleep 1000'
    wait_until is_logged_twice
    kill -TERM "$server_pid"
    server_ends 4
    printf 'create_driver\nrun any 50 echo >>ran; : >up; sleep 1000\n' >lines
    run -4 --separate-stderr session --log jobs.log --resume <lines
    [ "${lines[1]}" = 'Job 1 Done lost its end is not in the log' ]
    # shellcheck disable=SC2154
    [[ $stderr == 'server: job 1 Done lost its end is not in the log: echo '* ]]
    [ "$(wc -l <ran)" = 1 ]
    run -4 --separate-stderr session --log jobs.log --resume <lines
    [ "${lines[1]}" = 'Job 1 Done lost its end is not in the log' ]
    [ "$stderr" = '' ]
    [ "$(wc -l <ran)" = 1 ]
}

# The numbers of the second batch go on after the first batch's, whose files are there. It is killed in
# the middle; then its third job, which only the first batch has ended, must run.
@test "--resume: with --output, too, a batch is not answered from an earlier one" {
    printf 'run any 50 echo %s\n' 'a >>ran' 'b >>ran; test ! -e slow || { : >up; sleep 1000; }' 'c >>ran' >lines
    for json in '' --json; do
        options=(--drivers 1 --output "o$json" --log "log$json" ${json:+"$json"})
        rm -f slow up
        run -0 session "${options[@]}" <lines
        : >ran
        touch slow
        start_server "${options[@]}"
        cat lines >&"$to"
        wait_until test -e up
        kill -KILL "$server_pid"
        wait_until ended "$server_pid"
        hang_up
        [ "$(xargs <ran)" = 'a b' ]
        run -4 --separate-stderr session "${options[@]}" --resume <lines
        [ "$(xargs <ran)" = 'a b c' ]
        run -4 --separate-stderr session "${options[@]}" --resume <lines
        [ "$(xargs <ran)" = 'a b c' ]
        [ "$(grep -cE $'\tfirst\t|"first":true' "log$json")" = 1 ]
    done
    [ "$(cut -f 2-3,6 log | grep first)" = $'4\tWaiting\tfirst' ]
}

@test "--resume: after USR2 the new file knows what waits and runs" {
    start_server --log jobs.log
    create
    say 'submit 50 echo >>ran; : >up; sleep 1000' 'submit 50 echo b >>ran'
    expect 'Job 1 Waiting' 'Job 2 Waiting'
    wait_until test -e up
    mv jobs.log old.log
    kill -USR2 "$server_pid"
    wait_until grep -qs $'\t2\tWaiting\t' jobs.log
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    printf 'create_driver\nwait_job 2\nwait own\n' >lines
    run -0 --separate-stderr session --log jobs.log --resume <lines
    [ "${lines[1]}" = 'Job 2 Done exit 0' ]
    [[ $stderr == 'server: job 1 Done lost its end is not in the log: echo '* ]]
    [ "$(xargs <ran)" = b ]
}

@test "--resume: submitted jobs of several servers wait in the order of their numbers, and none is forgotten" {
    while read -r number command; do
        printf '%s\t%s\tWaiting\t-\t50.000\t-\techo %s >>ran\n' "$TIME" "$number" "$command"
    done <<<$'3 A3\n4 A4\n1 B1\n2 B2\n3 B3' >jobs.log
    start_server --log jobs.log --resume
    say get_jobs
    expect 'Job 1 Waiting echo B1*' 'Job 2 Waiting echo B2*' 'Job 3 Waiting echo A3*' 'Job 4 Waiting echo A4*' \
        'Job 5 Waiting echo B3*' '5 jobs'
    mv jobs.log old.log
    kill -USR2 "$server_pid"
    wait_until grep -qs $'\t5\tWaiting\t' jobs.log
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    [ "$(cut -f 2 jobs.log | xargs)" = '1 2 3 4 5' ]
    run -0 session --drivers 1 --log jobs.log --resume </dev/null
    [ "$(xargs <ran)" = 'B1 B2 A3 A4 B3' ]
}

@test "--resume=failed: a submitted job that shall run again, and waits through two stops, still replaces its failure" {
    echo 'submit 50 echo >>ran; test -e good' >lines
    run -4 session --drivers 1 --log jobs.log <lines
    for ((i = 0; i < 2; i++)); do # without a driver
        start_server --log jobs.log --resume=failed
        cat lines >&"$to"
        expect 'Job 2 Waiting'
        kill -TERM "$server_pid"
        server_ends 4
        hang_up
    done
    touch good
    run -0 session --log jobs.log --resume=failed < <(cat lines; echo create_driver)
    [[ $output == $'Job 2 Waiting\nDriver '+([0-9])' Available' ]] || fail "$output" "$(<jobs.log)"
    run -0 --separate-stderr session --drivers 1 --log jobs.log --resume <lines
    [ "$output" = 'Job 2 Done exit 0' ]
    [ "$(wc -l <ran)" = 2 ]
    [ "$(grep $'\t2\tWaiting\t' jobs.log | cut -f 6 | xargs)" = 'exit 1 exit 1 exit 1' ]
}

@test "--resume: a submitted job whose number has a file of --output by now gets a new number" {
    for number in 1 2 3 4; do
        printf '%s\t%s\tWaiting\t-\t50.000\t-\techo %s\n' "$TIME" "$number" "$number"
    done >jobs.log
    mkdir -m 755 o
    touch o/1.out o/2.err
    ln -s none o/3.out
    run -0 session --drivers 1 --log jobs.log --output o --resume </dev/null
    [ "$output" = '' ]
    [ "$(cat o/4.out o/5.out o/6.out o/7.out | xargs)" = '4 1 2 3' ]
    [ ! -s o/1.out ]
    [ "$(cut -f 2,3,6 jobs.log | grep unrun | sort -u)" = $'1\tDone\tunrun its number was given anew
2\tDone\tunrun its number was given anew
3\tDone\tunrun its number was given anew' ]
}

# Three servers without --resume have each left the same command waiting, two of them as job 1.
@test "--resume: a job is not mistaken for another server's job with the same number and command" {
    for json in '' --json; do
        options=(--log "log$json" ${json:+"$json"})
        for before in '' '' 'submit 50 true'; do
            run -4 --separate-stderr session "${options[@]}" --drivers 1 <<END
pause
${before:-get_status any}
submit 50 echo >>ran
shutdown
END
        done
        for _ in 1 2; do # the second one finds what the first one has written
            run -0 session "${options[@]}" --resume <<<shutdown
        done
        : >ran
        run -0 --separate-stderr session "${options[@]}" --drivers 1 --resume </dev/null
        [ "$(wc -l <ran)" = 3 ] || fail "$(<"log$json")"
        run -0 --separate-stderr session "${options[@]}" --drivers 1 --resume </dev/null
        [ "$(wc -l <ran)" = 3 ] || fail "$(<"log$json")"
    done
    [ "$(grep -c $'\twas ' log)" = 12 ] || fail "$(<log)"
    [ "$(grep -c '"was":' log--json)" = 12 ]
}

@test "--resume: a submitted job is not mistaken for another server's run with the same number and command" {
    printf '%s\n' pause 'submit 50 echo >>ran' shutdown | run -4 session --drivers 1 --log log
    run -0 session --drivers 1 --log log <<<'run any 50 echo >>ran'
    [ "$(wc -l <ran)" = 1 ]
    for _ in 1 2; do
        run -0 session --drivers 1 --log log --resume </dev/null
        [ "$(wc -l <ran)" = 2 ] || fail "$(<log)"
    done
}

# The second server was killed before its run began. What the third one logs is about the first one's job.
@test "--resume: a submitted job is not mistaken for a run that never began" {
    printf "$TIME"'\t1\tWaiting\t%s\t50.000\t%s\techo >>ran\n' - - any first >log
    for _ in 1 2; do
        run -0 session --drivers 1 --log log --resume </dev/null
        [ "$(wc -l <ran)" = 1 ] || fail "$(<log)"
    done
}

# The first server was killed while its job ran. The second one's could not begin, so it waits again. In a
# container both drivers may have the same pid.
@test "--resume: a submitted job that its driver could not begin is not mistaken for one that is lost" {
    printf "$TIME"'\t1\t%s\techo >>ran\n' $'Waiting\tany\t50.000\t-' $'Running\t7\t-\t-' $'Waiting\t-\t50.000\tfirst' \
        $'Running\t7\t-\t-' $'Done\t7\t-\tunrun cannot open o/1.out: No space left on device' >log
    for _ in 1 2; do
        run -0 session --drivers 1 --log log --resume </dev/null
        [ "$(wc -l <ran)" = 1 ] || fail "$(<log)"
        [ "$(grep -c 'lost' log)" = 1 ] || fail "$(<log)"
    done
}

# A new number takes two lines. The server is killed, or the disk is full, after the first one.
@test "--resume: a submitted job that gets a new number is never forgotten" {
    printf '%s\t1\tWaiting\t-\t50.000\t-\techo >>ran\n' "$TIME" >log
    mkdir -m 755 o
    : >o/1.out
    run -0 session --log log --output o --resume <<<shutdown
    [ "$(cut -f 2-3,6 log)" = $'1\tWaiting\t-
1\tDone\tunrun its number was given anew
2\tWaiting\twas 1
2\tDone\tunrun server is stopping' ] || fail "$(<log)"
    sed -i '3,$d' log
    for _ in 1 2; do
        run -0 session --drivers 1 --log log --output o --resume </dev/null
        [ "$(wc -l <ran)" = 1 ] || fail "$(<log)"
    done
}

@test "--resume: what the log has as Done takes no room in the queue" {
    yes "$TIME"$'\t1\tDone\t7\t0.001\texit 0\t: '"$(printf '%01100d' 0)" | head -n 8300 >log # 32 MiB of memory
    run -0 session --drivers 1 --log log --resume <<<'submit 50 true'
    [ "$output" = 'Job 2 Waiting' ]
}

@test "--resume: what is Done is answered from the log, though the queue is full" {
    {
        printf '%s\t1\tDone\t7\t0.001\texit 0\techo\n' "$TIME"
        seq -f "$TIME"$'\t%.0f\tWaiting\t-\t50.000\t-\t: '"$(printf '%01100d' 0)" 2 8301
    } >log
    run -4 --separate-stderr session --log log --resume <<<$'submit 50 echo\nsubmit 50 true\nshutdown'
    [ "$output" = $'Job 1 Done exit 0\nError: queue is full (limit 33554432 bytes)' ] || fail "$output"
}

@test "--log: USR2 drops the torn last line of the file that it opens" {
    start_server --log jobs.log
    create
    rm jobs.log
    printf '%s\t1\tWait' "$TIME" >jobs.log
    kill -USR2 "$server_pid"
    wait_until logged '^server: the last line of the log jobs.log was torn, and is dropped$'
    say 'run any 5 true'
    expect 'Job 1 Done exit 0'
    kill -USR2 "$server_pid" # the same file
    say 'run any 5 true'
    expect 'Job 2 Done exit 0'
    [ "$(wc -l <jobs.log)" = 6 ]
}

@test "--resume: commands that are the same are answered in order; another try takes the place of a failure" {
    cat >lines <<'END'
create_driver
run any 5 echo >>count; exit $(($(wc -l <count) - 1))
run any 5 echo >>count; exit $(($(wc -l <count) - 1))
run any 5 echo >>count; exit $(($(wc -l <count) - 1))
END
    run -4 session --log jobs.log <lines 2>/dev/null
    run -4 --separate-stderr session --log jobs.log --resume <lines
    [ "${lines[*]:1}" = 'Job 1 Done exit 0 Job 2 Done exit 1 Job 3 Done exit 2' ]
    : >count
    run -4 --separate-stderr session --log jobs.log --resume=failed <lines
    [ "${lines[*]:1}" = 'Job 1 Done exit 0 Job 4 Done exit 0 Job 5 Done exit 1' ]
    run -4 --separate-stderr session --log jobs.log --resume <lines
    [ "${lines[*]:1}" = 'Job 1 Done exit 0 Job 4 Done exit 0 Job 5 Done exit 1' ]
}

@test "--resume: a failure that another try has replaced still counts for the same command, given once more" {
    printf "$TIME\t%s\techo >>ran\n" $'1\tWaiting\tany\t50.000\t-' $'1\tDone\t7\t0.100\texit 3' \
        $'2\tWaiting\tany\t50.000\texit 3' $'2\tDone\t7\t0.100\texit 0' >log
    run -4 --separate-stderr session --drivers 1 --log log --resume <<<$'run any 50 echo >>ran\nrun any 50 echo >>ran'
    [ "$output" = $'Job 2 Done exit 0\nJob 1 Done exit 3' ] || fail "$output"
    [ ! -e ran ]
}

@test "--resume: in JSON, a reply tells how long the job ran, as the log has it" {
    echo '{"time":"'$TIME'","job":1,"state":"done","driver":7,"seconds":0.250,"exit":0,"command":"true"}' >log
    run -0 session --json --log log --resume <<<'run any 50 true'
    [ "$output" = '{"job":1,"driver":7,"exit":0,"ms":250.0,"command":"true"}' ]
}

@test "--resume=failed: the newest end of a command counts" {
    printf 'create_driver\nrun any 5 test ! -e flag\n' >lines
    run -0 session --log jobs.log <lines
    touch flag
    run -4 session --log jobs.log <lines
    run -4 --separate-stderr session --log jobs.log --resume=failed <lines
    [ "${lines[1]}" = 'Job 2 Done exit 1' ]
    rm flag
    run -0 --separate-stderr session --log jobs.log --resume=failed <lines
    [ "${lines[1]}" = 'Job 3 Done exit 0' ]
}

@test "--resume: a standard error that nobody reads does not hold up the start" {
    for ((i = 1; i <= 400; i++)); do
        printf '%s\t%d\tRunning\t77\t-\t-\ttrue %0300d\n' "$TIME" $i $i
    done >many.log
    mkfifo in out silent
    exec {silence}<>silent
    "$SERVER" --log many.log --resume <in >out 2>silent 3>&- &
    server_pid=$!
    started+=("$server_pid")
    exec {to}>in {from}<out
    create
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
    [ "$(grep -c $'\tDone\t' many.log)" = 400 ]
    exec {silence}>&-
}

@test "--log: a lock that others can take does not matter" {
    : >jobs.log
    chmod 600 jobs.log
    exec {held}<jobs.log
    perl -MFcntl=:flock -e 'open(F, "<&=", $ARGV[0]) && flock(F, LOCK_EX) or die' "$held"
    run -0 session --log jobs.log </dev/null
    exec {held}<&-
}

@test "--resume=failed: a command that ends as an Error leaves the failure to be replaced" {
    printf 'run any 50 test -e ok\n' >lines
    run -4 session --drivers 1 --log log <lines
    touch ok
    printf '%s\n' 'run any 50 test -e ok' create_driver 'run any 50 test -e ok' >again
    run -4 session --log log --resume=failed <again
    [[ $output == $'Error: no driver\nDriver '*$' Available\nJob '*' Done exit 0' ]]
    run -0 session --drivers 1 --log log --resume <lines
    [[ $output == 'Job '*' Done exit 0' ]]
}

# The first server was killed while job 1 ran, the second while its own job 1 waited.
@test "--resume: what is lost is reported once, even if another server has given its number to the same command" {
    printf '%s\n' "$TIME"$'\t1\tWaiting\tany\t50\t-\techo' "$TIME"$'\t1\tRunning\t100\t-\t-\techo' \
        "$TIME"$'\t1\tWaiting\tany\t50\tfirst\techo' >log
    chmod 600 log
    echo 'run any 50 echo' >lines
    for told in 1 0 0; do
        run --separate-stderr session --drivers 1 --log log --resume <lines
        # shellcheck disable=SC2154
        [ "$(grep -c 'Done lost' <<<"$stderr")" = $told ] || fail "$stderr" "$(<log)"
    done
    [ "$(grep -c $'\tDone\t.*\tlost' log)" = 1 ]
}

#!/usr/bin/env bats
# --resume: what the log has as Done is not run again.

load lib/helpers

# batch OPTIONS LINE...: gives these lines, after a create_driver, to a server with this log and these
# options. Sets output and status; its own log is in the file err.
batch() {
    printf '%s\n' create_driver "${@:2}" >lines
    # shellcheck disable=SC2086
    run --separate-stderr session --log jobs.log $1 <lines
    # shellcheck disable=SC2154
    printf '%s\n' "$stderr" >err
    output=${output#*Available}
    output=${output#$'\n'}
}

deeds() {
    sort "${1-deeds}" 2>/dev/null | xargs
}

@test "--resume: what is Done is answered from the log; the rest runs, with the next numbers" {
    batch '' 'run any 5 echo a >>deeds' 'run any 5 echo b >>deeds; exit 3' 'run any 5 kill -9 $$'
    [ "$status" = 4 ]
    batch --resume 'run any 5 echo a >>deeds' 'run any 5 echo c >>deeds' 'run any 9 echo b >>deeds; exit 3' \
        'run any 5 kill -9 $$'
    [ "$status" = 4 ]
    [ "$output" = 'Job 1 Done exit 0
Job 4 Done exit 0
Job 2 Done exit 3
Job 3 Done signal 9' ]
    [ "$(deeds)" = 'a b c' ]
    [ "$(cat err)" = '' ] # what was told before is not told again
    batch --resume 'run any 5 echo a >>deeds' 'run any 5 echo c >>deeds'
    [ "$status" = 0 ]
    [ "$output" = 'Job 1 Done exit 0
Job 4 Done exit 0' ]
    batch -R 'run any 5 echo d >>deeds'
    [ "$output" = 'Job 5 Done exit 0' ]
}

@test "--resume=failed: only exit 0 is not run again" {
    batch '--grace 0.1' 'run any 5 echo a >>deeds' 'run any 5 echo b >>deeds; test -e good' \
        'run any 0.1 echo c >>deeds; test -e good || sleep 100'
    [ "$status" = 4 ]
    touch good
    batch --resume=failed 'run any 5 echo a >>deeds' 'run any 5 echo b >>deeds; test -e good' \
        'run any 0.1 echo c >>deeds; test -e good || sleep 100'
    [ "$status" = 0 ]
    [ "$output" = 'Job 1 Done exit 0
Job 4 Done exit 0
Job 5 Done exit 0' ]
    [ "$(deeds)" = 'a b b c c' ]
    batch --resume 'run any 5 echo b >>deeds; test -e good' # its last end counts
    [ "$output" = 'Job 4 Done exit 0' ]
    [ "$status" = 0 ]
}

@test "--resume: a command that is given more often than the log has it runs for the rest" {
    batch '' 'run any 5 echo a >>deeds' 'run any 5 echo a >>deeds'
    batch --resume 'run any 5 echo a >>deeds' 'run any 5 echo a >>deeds' 'run any 5 echo a >>deeds' 'run any 5 echo  a >>deeds'
    [[ $output == 'Job '[12]$' Done exit 0\nJob '[12]$' Done exit 0\nJob 3 Done exit 0\nJob 4 Done exit 0' ]]
    [ "$(deeds)" = 'a a a a' ]
}

@test "--resume: what was unrun, refused or waited at a stop runs" {
    start_server --log jobs.log
    create
    say 'run any 50 echo a >>deeds; : >up; sleep 1000' 'run any 50 echo b >>deeds' "run $pid 50 echo c >>deeds"
    wait_until test -e up
    kill -INT "$server_pid"
    server_ends 4
    batch --resume 'run any 50 echo a >>deeds; : >up; sleep 1000' 'run any 50 echo b >>deeds' 'run any 50 echo c >>deeds'
    [ "${output%%$'\n'*}" = 'Job 1 Done cancelled' ]
    [ "$(deeds)" = 'a b c' ] || fail "$(deeds)" "$output" "$(cat jobs.log)"
    [ "$status" = 4 ]
}

@test "--resume: what had begun when the server was killed is lost, and that is said once" {
    start_server --log jobs.log
    create
    say 'run any 50 echo a >>deeds; : >up; sleep 1000' 'run any 50 echo b >>deeds'
    wait_until test -e up
    wait_until grep -q $'\t2\tWaiting\t' jobs.log
    kill -KILL "$server_pid"
    wait_until ended "$pid"
    batch --resume 'run any 50 echo a >>deeds; : >up; sleep 1000' 'run any 50 echo b >>deeds'
    [ "$output" = 'Job 1 Done lost its end is not in the log
Job 3 Done exit 0' ]
    [ "$(cat err)" = 'server: job 1 Done lost its end is not in the log: echo a >>deeds; : >up; sleep 1000' ]
    [ "$status" = 4 ]
    batch --resume 'run any 50 echo a >>deeds; : >up; sleep 1000'
    [ "$output" = 'Job 1 Done lost its end is not in the log' ]
    [ "$(cat err)" = '' ]
    [ "$(grep -c $'\t1\tDone\t' jobs.log)" = 1 ]
    [ "$(deeds)" = 'a b' ]
    batch '--resume=failed' 'run any 50 echo a >>deeds'
    [ "$(deeds)" = 'a a b' ]
}

@test "--resume: if the log cannot be written, what is lost is reported by the next server that resumes" {
    time=2026-11-26T15:50:36.333Z
    printf '%s\n' "$time	1	Waiting	any	5.000	-	true" "$time	1	Running	7	-	-	true" >jobs.log
    run -1 env FAULT=write:full:1 "$FAULTY/server" --log jobs.log --resume </dev/null
    [ "$output" = 'server: cannot write the log jobs.log: No space left on device' ]
    run -0 session --log jobs.log --resume </dev/null
    [ "$output" = 'server: the last line of the log jobs.log was torn, and is dropped
server: job 1 Done lost its end is not in the log: true' ]
}

# The server is killed when there are 3, 6, 9, ... deeds, and resumed. In the end each job was begun
# exactly once, whatever the replies are.
@test "--resume: kill -9 again and again: each job begins once" {
    create_lines 40 >lines
    for after in 3 6 9 12 15 18 21; do
        "$SERVER" --drivers 3 --log jobs.log --resume <lines >out 2>err 3>&- &
        server_pid=$!
        started+=("$server_pid")
        wait_until has_deeds "$after"
        kill -KILL "$server_pid"
        wait_until ended "$server_pid"
        wait_until no_drivers
    done
    session --drivers 3 --log jobs.log --resume <lines >out 2>err || [ $? = 4 ]
    [ "$(grep -c '^Job ' out)" = 40 ]
    [ -z "$(sort deeds | uniq -d)" ]
    lost=$(grep -c 'Done lost its end is not in the log' out) || true
    [ "$(($(grep -c 'Done exit 0' out) + lost))" = 40 ]
    # A lost one may have been killed before its first deed.
    [ "$(wc -l <deeds)" -ge "$((40 - lost))" ]
    while read -r _ number _; do
        grep -q $'\t'"$number"$'\tDone\t' jobs.log
    done < <(grep '^Job ' out)
}

create_lines() {
    local i
    for ((i = 1; i <= $1; i++)); do
        echo "run any 50 echo $i >>deeds; sleep 0.02"
    done
}

has_deeds() {
    (($(grep -sc "" deeds) >= $1)) || ended "$server_pid"
}

# All drivers that the log names have ended.
no_drivers() {
    local driver
    while read -r driver; do
        ended "$driver" || return
    done < <(cut -f 4 jobs.log | grep -x '[0-9]*' | sort -u)
}

@test "--resume: with --json the log is in JSON" {
    batch --json 'run any 5 printf "a\\n" >>deeds # "é"' 'run any 5 exit 3' 'run any 0.05 sleep 100'
    batch '--json --resume' 'run any 5 printf "a\\n" >>deeds # "é"' 'run any 5 exit 3' 'run any 5 sleep 100'
    [ "$(deeds)" = a ]
    [[ ${lines[1]} == '{"job":1,"driver":'*',"exit":0,"ms":'*',"command":"printf \"a\\\\n\" >>deeds # \"é\""}' ]]
    [[ ${lines[2]} == '{"job":2,"driver":'*',"exit":3,"ms":'*'}' ]]
    [[ ${lines[3]} == '{"job":3,"driver":'*',"timeout":true,"ms":'*'}' ]]
    run -1 session --log jobs.log --resume </dev/null
    [ "$output" = 'server: cannot write the log jobs.log: it is in JSON (try --json)' ]
    rm jobs.log
    batch '' 'run any 5 true'
    run -1 session --log jobs.log --resume --json </dev/null
    [ "$output" = 'server: cannot write the log jobs.log: it is not in JSON' ]
}

@test "--resume: a reply in JSON names no files of a job that ran without --output" {
    batch --json 'run any 5 echo a'
    batch '--json --output o --resume' 'run any 5 echo a' 'run any 5 echo b'
    [[ ${lines[1]} == '{"job":1,'*'"command":"echo a"}' ]]
    [[ ${lines[2]} == '{"job":2,'*'"command":"echo b","out":"o/2.out","err":"o/2.err"}' ]]
    batch '--json --output o --resume' 'run any 5 echo b'
    [[ ${lines[1]} == '{"job":2,'*'"command":"echo b","out":"o/2.out","err":"o/2.err"}' ]]
}

@test "--resume: with --output, numbers go on after both" {
    batch '--output o' 'run any 5 echo a'
    touch o/7.out
    batch '--output o --resume' 'run any 5 echo a' 'run any 5 echo b'
    [ "$output" = 'Job 1 Done exit 0
Job 8 Done exit 0' ]
}

@test "--resume: a torn last line is dropped; any other line that is no step is an error" {
    batch '' 'run any 5 echo a >>deeds' 'run any 5 echo b >>deeds'
    cp jobs.log good
    printf '2026-11-26T15:50:36.333Z\t3\tRunn' >>jobs.log
    batch --resume 'run any 5 echo a >>deeds'
    [ "$status" = 0 ]
    grep -qx 'server: the last line of the log jobs.log was torn, and is dropped' err
    cmp good jobs.log
    time=2026-11-26T15:50:36.333Z
    for bad in '' garbage "$time	3	Running	7	-	-" "$time	3	Ran	7	-	-	true" "$time	0	Running	7	-	-	true" \
        "$time	3	Done	7	0.100	exit	true" "$time	3	Done	7	0.100	exit 256	true" \
        "$time	3	Waiting	any	-	-	true" "$time	3	Done	7	0.1	lost 	true" "yesterday	3	Running	7	-	-	true" \
        "$time	3	Running	7	-	-	tr\\ue" "$time	3	Running	7	-	-	true	" "$time	3	Running	-	-	-	true"; do
        { head -n 1 good; printf '%s\n' "$bad"; tail -n 1 good; } >jobs.log
        cp jobs.log before
        run -1 session --log jobs.log --resume </dev/null
        [ "$output" = 'server: cannot resume from jobs.log: line 2: it is no log of jobs' ] || fail "$bad" "$output"
        cmp before jobs.log
    done
}

@test "--resume: of a queue only what waited runs; the server is not paused, and has forgotten what was Done" {
    start_server --drivers 1 --log jobs.log
    say 'submit 50 false' 'wait_job 1' 'submit 50 echo begun >>deeds; : >up; sleep 1000'
    expect 'Job 1 Waiting' 'Job 1 Done exit 1' 'Job 2 Waiting'
    wait_until test -e up
    say pause 'submit 50 echo waited >>deeds'
    expect Paused 'Job 3 Waiting'
    kill -TERM "$server_pid"
    server_ends 4
    hang_up
    start_server --drivers 1 --log jobs.log --resume=failed
    say 'wait_job 3' 'wait_job 1' 'wait_job 2' stats 'get_jobs all'
    expect 'Job 3 Done exit 0' 'Error: no job 1' 'Error: no job 2' '* paused=0 *' 'Job 3 Done *' '1 job'
    [ "$(deeds)" = 'begun waited' ]
}

@test "--resume: wrong usage ends with status 2; an empty log has nothing to resume" {
    run -2 session --resume </dev/null
    [ "$output" = 'server: --resume needs --log FILE (try --help)' ]
    run -2 session --log jobs.log --resume=all </dev/null
    [ "$output" = "server: bad --resume 'all' (--resume or --resume=failed) (try --help)" ]
    run -2 session --log jobs.log -R=failed </dev/null
    [ "$output" = "server: bad --resume '=failed' (--resume or --resume=failed) (try --help)" ]
    run -0 session --log jobs.log --resume </dev/null # nothing to resume
}

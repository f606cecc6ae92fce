#!/usr/bin/env bats
# --log: a line for each step of each job, and which file may be the log.

load lib/helpers

TIME='2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}Z'

# steps JOB: prints the steps of a job: driver, seconds, RESULT, command. A driver is shown as D, and
# how long the job ran as S.
steps() {
    awk -F '\t' -v job="$1" '$2 == job {
        if ($4 ~ /^[0-9]+$/) $4 = "D"
        if ($3 == "Done" && $5 ~ /^[0-9]+\.[0-9][0-9][0-9]$/) $5 = "S"
        print $3 "|" $4 "|" $5 "|" $6 "|" $7 }' jobs.log
}

@test "--log: seven fields a line, for each step of each job, as it happens" {
    mkfifo gate
    start_server --log jobs.log
    create
    say 'run any 50 read x <gate; exit 3' "run $pid 0.25 true"
    wait_until grep -q $'\t1\tRunning\t' jobs.log
    wait_until grep -q $'\t2\tDone\t' jobs.log
    [ "$(steps 1)" = "Waiting|any|50.000|-|read x <gate; exit 3
Running|D|-|-|read x <gate; exit 3" ]
    echo >gate
    expect 'Job 1 Done exit 3' "Error: driver $pid Busy *"
    say 'run any 50 true'
    expect 'Job 3 Done exit 0' # with a log, no number is used twice
    end_input
    server_ends 4
    [ "$(steps 1 | tail -n 1)" = 'Done|D|S|exit 3|read x <gate; exit 3' ]
    [ "$(steps 2)" = "Waiting|D|0.250|-|true
Running|D|-|-|true
Done|D|-|unrun driver $pid did not take it|true" ]
    [ "$(steps 3)" = "Waiting|any|50.000|-|true
Running|D|-|-|true
Done|D|S|exit 0|true" ]
    run ! grep -vE "^$TIME"$'\t[1-9]\t(Waiting|Running|Done)\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+$' jobs.log
    [ "$(stat -c %a jobs.log)" = 600 ]
}

second_is_over() {
    [[ $(date -u +%FT%T) > $1 ]]
}

@test "--log: the time of a line is that of its step" {
    start_server --log jobs.log
    create
    say 'run any 50 true'
    expect 'Job 1 Done exit 0'
    wait_until second_is_over "$(date -u +%FT%T)"
    before=$(date -u +%FT%T)
    say 'run any 50 true'
    expect 'Job 2 Done exit 0'
    time=$(tail -n 1 jobs.log | cut -c 1-19)
    [[ ! $time < $before && ! $time > $(date -u +%FT%T) ]] || fail "$before: $(<jobs.log)"
}

@test "--log: how each job can end" {
    session --log jobs.log --grace 0.1 >/dev/null 2>&1 <<'END' || [ $? = 4 ]
create_driver
run any 50 kill -15 $$
run any 0.05 sleep 1000
run any 50 kill -9 $PPID; sleep 1000
END
    [ "$(steps 1 | tail -n 1)" = 'Done|D|S|signal 15|kill -15 $$' ]
    [ "$(steps 2 | tail -n 1)" = 'Done|D|S|timeout|sleep 1000' ]
    steps 3 | grep -qx 'Done|D|S|lost driver [0-9]* died (killed by signal 9)|kill -9 $PPID; sleep 1000'
}

@test "--log: a stop is logged: what ran is cancelled, what waited is unrun" {
    start_server --log jobs.log
    create
    say 'run any 50 sleep 1000' 'run any 50 true'
    wait_until grep -q $'\t2\tWaiting\t' jobs.log
    wait_until grep -q $'\t1\tRunning\t' jobs.log
    kill -TERM "$server_pid"
    server_ends 4
    [ "$(steps 1 | tail -n 1)" = 'Done|D|S|cancelled|sleep 1000' ]
    [ "$(steps 2 | tail -n 1)" = 'Done|-|-|unrun server is stopping|true' ]
}

@test "--log: a job that its driver did not begin waits again, and runs on another one" {
    start_server --log jobs.log
    create
    stopped=$pid
    kill -STOP "$stopped"
    wait_until in_state "$stopped" T
    create
    say 'run any 50 true'
    wait_until grep -q $'\t1\tRunning\t'"$stopped"$'\t' jobs.log
    kill -KILL "$stopped"
    expect 'Job 1 Done exit 0'
    [ "$(steps 1)" = "Waiting|any|50.000|-|true
Running|D|-|-|true
Waiting|D|50.000|-|true
Running|D|-|-|true
Done|D|S|exit 0|true" ]
    [ "$(cut -f 4 jobs.log | uniq | xargs)" = "any $stopped $pid" ]
    end_input
    server_ends 0
}

@test "--log: the command is exact: tabs, backslashes and odd bytes are escaped, UTF-8 is as it is" {
    printf 'create_driver\nrun any 50 : "a\tb" \\n é \xff \x01 \x7f "\n' | session --log jobs.log >/dev/null 2>&1 ||
        [ $? = 4 ]
    [ "$(cut -f 7 jobs.log | sort -u)" = ': "a\tb" \\n é \xff \x01 \x7f "' ]
    printf 'create_driver\nrun any 50 : "a\tb" \\n é \xff \x01 \x7f "\n' | session --log json.log --json >/dev/null 2>&1 ||
        [ $? = 4 ]
    grep -q '"command":": \\"a\\u0009b\\" \\\\n é \\u00ff \\u0001 \\u007f \\""}$' json.log
}

@test "--log: a control character in UTF-8, which a terminal may obey, is escaped; the log still resumes" {
    printf 'run any 50 : \302\233 \302\237 \302\240\nsubmit 50 : \302\205\n' >lines
    session --drivers 1 --log jobs.log <lines >/dev/null 2>&1
    [ "$(cut -f 7 jobs.log | sort -u)" = $': \\xc2\\x85\n: \\xc2\\x9b \\xc2\\x9f \302\240' ]
    run -0 session --drivers 1 --log jobs.log --resume <lines
    [ "$output" = 'Job 1 Done exit 0
Job 2 Done exit 0' ]
}

@test "--log: with --json each line is an object" {
    printf '%s\n' create_driver 'run any 0.05 sleep 1000' 'run any 50 exit 3' 'run 1 5 true' |
        session --log jobs.log --json >/dev/null 2>&1 || [ $? = 4 ]
    while read -r line; do
        grep -qxE "$line" jobs.log || fail "no line is $line" "$(cat jobs.log)"
    done <<END
\{"time":"$TIME","job":1,"state":"waiting","driver":"any","seconds":0.050,"command":"sleep 1000"\}
\{"time":"$TIME","job":1,"state":"running","driver":[0-9]+,"command":"sleep 1000"\}
\{"time":"$TIME","job":1,"state":"done","driver":[0-9]+,"seconds":[0-9]+\.[0-9]{3},"timeout":true,"command":"sleep 1000"\}
\{"time":"$TIME","job":2,"state":"done","driver":[0-9]+,"seconds":[0-9]+\.[0-9]{3},"exit":3,"command":"exit 3"\}
END
    perl "$LIB/json.pl" <jobs.log
    [ "$(wc -l <jobs.log)" = 6 ]
}

@test "--log: lines are appended to what is there; a torn last line is dropped" {
    printf 'create_driver\nrun any 5 true\n' | session --log jobs.log >/dev/null
    cp jobs.log before
    printf '2026-01-01T00:00' >>jobs.log
    printf 'create_driver\nrun any 5 false\n' | session --log jobs.log >/dev/null 2>err || [ $? = 4 ]
    grep -qx 'server: the last line of the log jobs.log was torn, and is dropped' err
    [ "$(head -n 3 jobs.log)" = "$(cat before)" ]
    [ "$(wc -l <jobs.log)" = 6 ]
}

@test "--log: only a regular file of our own, with one name, that nobody else writes" {
    mkdir directory
    mkfifo fifo
    touch other
    ln -s other link
    touch shared two
    chmod g+w shared
    ln two names
    while read -r name reason; do
        run -1 session --log "$name" </dev/null
        [ "$output" = "server: cannot write the log $name: $reason" ]
    done <<'END'
directory Is a directory
fifo it is no regular file
/dev/null it is no regular file
link it is a link
shared others can write it (try chmod go-w)
two it has another name, too
none/jobs.log No such file or directory
END
    run -2 session --log '' </dev/null
}

@test "--log: one server at a time, also after USR2" {
    start_server --log jobs.log
    create
    run -1 session --log jobs.log </dev/null
    [ "$output" = 'server: cannot write the log jobs.log: another server writes it' ]
    kill -USR2 "$server_pid" # it opens and closes the same file
    say 'run any 5 true'
    expect 'Job 1 Done exit 0'
    run -1 session --log jobs.log </dev/null
    [ "$output" = 'server: cannot write the log jobs.log: another server writes it' ]
    end_input
    server_ends 0
    run -0 session --log jobs.log </dev/null
}

# has_opened_log_or_ended PID: that process has jobs.log open, or is gone.
has_opened_log_or_ended() {
    ended "$1" || find "/proc/$1/fd" -lname '*/jobs.log' 2>/dev/null | grep -q .
}

# Here the shell stands for the child of a server that was killed: the lock is its descriptor's.
@test "--log: the lock that a killed server has left to its child for a moment keeps no other from starting" {
    : >jobs.log
    chmod 600 jobs.log
    exec {held}<>jobs.log
    perl -e 'my $lock = pack("ssx4qqix4", 1, 0, 0, 0, 0); # F_WRLCK, by F_OFD_SETLK
        open(F, "+<&=", $ARGV[0]) && fcntl(F, 37, $lock) or die $!' "$held"
    "$SERVER" --log jobs.log </dev/null 2>err 3>&- {held}>&- &
    session_pid=$!
    started+=("$session_pid")
    wait_until has_opened_log_or_ended "$session_pid"
    exec {held}<&-
    wait_until ended "$session_pid"
    run -0 wait "$session_pid"
    [ ! -s err ]
}

@test "--log: USR2 opens the file anew; if that fails, the old one stays in use" {
    start_server --log jobs.log
    create
    say 'run any 5 true'
    expect 'Job 1 Done exit 0'
    mv jobs.log old.log
    kill -USR2 "$server_pid"
    wait_until test -e jobs.log
    say 'run any 5 true'
    expect 'Job 2 Done exit 0'
    [ "$(cut -f 2 old.log | sort -u)" = 1 ]
    [ "$(cut -f 2 jobs.log | sort -u)" = 2 ]
    mv jobs.log second.log
    mkdir jobs.log
    kill -USR2 "$server_pid"
    wait_until logged '^server: cannot reopen the log jobs.log: Is a directory$'
    say 'run any 5 true'
    expect 'Job 3 Done exit 0'
    [ "$(cut -f 2 second.log | sort -u | xargs)" = '2 3' ]
    end_input
    server_ends 0
}

@test "--log: a submitted job that cannot be logged is not taken to wait" {
    printf '%s\n' 'submit 5 echo 1 >>ran' 'submit 5 echo 2 >>ran' >lines
    run -1 --separate-stderr env FAULT=write:full:2 "$FAULTY/server" --log jobs.log <lines
    [ "$output" = $'Job 1 Waiting\nJob 2 Done unrun the log cannot be written' ]
    [ "$(grep -c Waiting jobs.log)" = 1 ]
    run -0 --separate-stderr session --log jobs.log --resume --drivers 1 </dev/null
    [ "$(<ran)" = 1 ]
}

# The limit of RLIMIT_FSIZE is in units of 1024 bytes, bash(1): the third job's first lines are above.
@test "--log: a log that cannot be written stops the server, and no job begins without its line" {
    {
        echo create_driver
        for i in {1..20}; do
            echo "run any 50 echo $i >>ran; : $(printf '%0150d' 0)"
        done
    } >lines
    run -1 bash -c "ulimit -f 2; exec '$SERVER' --log jobs.log <lines 2>err"
    [ "$(grep '^server: cannot write the log ' err)" = 'server: cannot write the log jobs.log: File too large' ]
    begun=$(grep -c $'\tRunning\t' jobs.log) || true
    ((begun < 20))
    touch ran
    [ "$(wc -l <ran)" -le "$begun" ]
    [ "$(grep -c '^Job ' <<<"$output")" = 20 ]
    grep -q 'Done unrun ' <<<"$output"
}

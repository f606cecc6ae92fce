#!/usr/bin/env bats
# How a job starts: with or without a shell, and with what. Its variables are in environment.bats.

load lib/helpers

@test "shell: a plain line is exec'ed; for any other the shell is the first process" {
    mkdir output
    start_server --output output
    create
    # cat prints its own parent, which is the driver unless there is a shell in between.
    echo 'not for a shell' >a=b
    direct=('cat /proc/self/stat' $' \t cat\t/proc/self/stat \t' 'cat /proc/self/stat ./a=b' 'cat -- /proc/self/stat'
        "$(command -v cat) /proc/self/stat" 'cat /proc/self/stat %,+:@x_-')
    i=0
    for command in "${direct[@]}"; do
        say "run $pid 50 $command"
        expect "Job $((++i)) Done exit $((i == 6))" # cat finds no file %,+:@x_-
        read -r self name state parent _ <output/$i.out
        [ "$name $parent" = "(cat) $pid" ]
    done
    # In these, the shell, whose pid is $$, leads the session.
    for command in 'echo $$; cat /proc/$$/stat; :' 'A=1 cat /proc/self/stat; echo'; do
        say "run $pid 50 $command"
        expect "Job $((++i)) Done exit 0"
    done
    read -r leader <output/7.out
    grep -qE "^$leader \(sh\) . $pid $leader $leader " output/7.out
}

@test "shell: an exec'ed job leads its session and process group, and is the driver's child" {
    mkdir output
    start_server --output output
    create
    say "run $pid 50 cat /proc/self/stat" "wait $pid" "run $pid 50 sh -c 'cat </proc/self/stat'"
    expect "Job 1 Done exit 0" "Driver $pid Available" "Job 2 Done exit 0"
    read -r self name state parent group session _ <output/1.out
    [ "$name" = '(cat)' ]
    [ "$parent $group $session" = "$pid $self $self" ]
}

@test "shell: does what only a shell can do" {
    mkdir output
    start_server --output output
    create
    touch one.x two.x
    i=0
    while IFS='|' read -r command wanted; do
        say "run $pid 50 ${command//%/|}"
        expect "Job $((++i)) Done exit 0"
        [ "$(tr '\n' ' ' <output/$i.out)" = "$wanted" ] || fail "$command: $(cat output/$i.*)"
    done <<'END'
echo "a  b"  c|a  b c 
echo 'a  b'|a  b 
echo a\ \ b|a  b 
echo *.x|one.x two.x 
echo ?ne.x|one.x 
echo [t]wo.x|two.x 
echo $((6 * 7))|42 
echo `echo x`|x 
echo a; echo b|a b 
true && echo b|b 
false %% echo b|b 
echo a % tr a z|z 
echo to >&2|
{ echo braces; }|braces 
(echo round)|round 
! false|
echo a # comment|a 
cd /; pwd|/ 
A=5 env % grep ^A=|A=5 
A=6; echo $A|6 
cat <one.x|
case x in x) echo y;; esac|y 
-n echo x % cat; echo dash|dash 
type exit >/dev/null|
cd /|
umask 077|
END
}

@test "shell: runs a line whose first word has a =, even if a program has that name" {
    mkdir output bin
    printf '#!/bin/sh\necho wrong\n' >bin/A=1
    chmod +x bin/A=1
    start env "PATH=$PWD/bin:$PATH" "$SERVER" "${PATIENT[@]}" --output output
    create
    say "run $pid 50 A=1 printenv A" "wait $pid" "run $pid 50 env A=2 printenv A" "wait $pid" "run $pid 50 A=3"
    expect "Job 1 Done exit 0" '*' "Job 2 Done exit 0" '*' "Job 3 Done exit 0"
    [ "$(<output/1.out)" = 1 ]
    [ "$(<output/2.out)" = 2 ]
}

@test "shell: runs a script that has no #! line" {
    mkdir output
    start_server --output output
    create
    printf 'echo "script $1"\nexit 6\n' >script
    chmod +x script
    say "run $pid 50 ./script word"
    expect "Job 1 Done exit 6"
    [ "$(<output/1.out)" = 'script word' ]
}

@test "text: the longest possible line reaches the job unchanged" {
    mkdir output
    start_server --output output
    create
    for quote in '' "'"; do
        command="run $pid 5 echo $quote"
        long=$(printf "%$((4095 - ${#command} - ${#quote}))s" '' | tr ' ' x)
        say "$command$long$quote"
        expect "Job $((++job)) Done exit 0"
        [ "$(<output/$job.out)" = "$long" ]
    done
    # As many words as a line can have.
    words=$(printf 'x %.0s' {1..2030})
    command="run any 5 echo $words"
    command=${command::4095}
    say "$command"
    expect "Job 3 Done exit 0"
    [ "$(wc -w <output/3.out)" = $(($(wc -w <<<"$command") - 4)) ]
}

@test "text: bytes beyond ASCII reach the job; trailing blanks and a carriage return do not" {
    mkdir output
    start_server --output output
    create
    printf 'run %s 50 echo \303\244\377 \t \r\nrun any 50 echo x\r\n' "$pid" >&"$to"
    expect "Job 1 Done exit 0" "Job 2 Done exit 0"
    [ "$(<output/1.out)" = $'\303\244\377' ]
    [ "$(od -An -c <output/2.out | tr -d ' ')" = 'x\n' ]
}

@test "environment: no signal is blocked or ignored, whatever the server inherited" {
    mkdir output
    start "$LIB/hinder-signals.pl" --ignore "$SERVER" "${PATIENT[@]}" --output output
    create
    say "run $pid 50 cat /proc/self/status" "wait $pid" "run $pid 50 while read line; do echo \$line; done </proc/\$\$/status"
    expect "Job 1 Done exit 0" "Driver $pid Available" "Job 2 Done exit 0"
    for i in 1 2; do
        [ "$(grep -cE '^(SigBlk|SigIgn|SigPnd|ShdPnd):.0+$' output/$i.out)" = 4 ]
    done
}

@test "environment: descriptors are /dev/null and the server's standard error, and no other" {
    mkdir output
    start_after 'exec 5</etc/passwd 17</etc/passwd 100</etc/passwd'
    create
    say "run $pid 50 ls -l /proc/self/fd" "wait $pid" "run $pid 50 echo said; echo complained >&2"
    expect "Job 1 Done exit 0" "Driver $pid Available" "Job 2 Done exit 0"
    has err said
    has err complained
    # The fourth is the directory, opened by ls.
    [ "$(grep -oE '[0-9]+ -> .*' err | sed 's/[0-9]*\/fd$/PID\/fd/')" = "0 -> /dev/null
1 -> $PWD/err
2 -> $PWD/err
3 -> /proc/PID/fd" ]
    # The job's output did not get among the server's replies.
    say stats
    expect 'Stats *'
}

@test "environment: standard input is at its end" {
    start_server
    create
    say "run $pid 50 cat" "wait $pid" "run $pid 50 read x" "wait $pid"
    expect "Job 1 Done exit 0" "Driver $pid Available" "Job 2 Done exit 1" "Driver $pid Available"
}

@test "environment: the limit of descriptors is the one that the server was started with" {
    mkdir output
    start_after "ulimit -Sn 123; ulimit -Hn 456; exec '$SERVER' ${PATIENT[*]} --output output"
    create
    say "run $pid 50 ulimit -Sn" "wait $pid" "run $pid 50 ulimit -Hn" "wait $pid" "run $pid 50 cat /proc/self/limits"
    expect "Job 1 Done exit 0" '*' "Job 2 Done exit 0" '*' "Job 3 Done exit 0"
    [ "$(<output/1.out)" = 123 ]
    [ "$(<output/2.out)" = 456 ]
    grep -qE '^Max open files +123 +456 ' output/3.out
}

@test "environment: a job runs in the server's directory" {
    mkdir output
    start_server --output output
    create
    say "run $pid 50 pwd"
    expect "Job 1 Done exit 0"
    [ "$(<output/1.out)" = "$PWD" ]
}

@test "environment: a job has the umask of the server, which may have a control socket" {
    start bash -c "umask 027; exec '$SERVER' ${PATIENT[*]} --listen taxi.sock"
    create
    say "run $pid 50 umask >mask"
    expect 'Job 1 Done exit 0'
    [ "$(<mask)" = 0027 ]
}

@test "environment: a PATH that ends with something other than a directory does no harm" {
    start env "PATH=$PATH:/dev/null" "$SERVER" "${PATIENT[@]}"
    create
    say "run $pid 100 true" "wait $pid" "run $pid 100 exit 3" "wait $pid" "run $pid 100 no_such_command"
    expect "Job 1 Done exit 0" '*' "Job 2 Done exit 3" '*' "Job 3 Done exit 127"
}

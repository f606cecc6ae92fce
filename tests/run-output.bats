#!/usr/bin/env bats
# --output: files for what jobs write.

load lib/helpers

@test "--output: files are numbered from 1 in the order of the commands, as the jobs are" {
    start_server --output made
    create_many 2
    [ -d made ]
    mkfifo gate
    say "run ${pids[0]} 50 read x <gate; echo first; echo wrong >&2" "run ${pids[1]} 50 echo second"
    wait_for made/2.out second
    open_gate
    expect "Job 1 Done exit 0" "Job 2 Done exit 0"
    [ "$(<made/1.out)$(<made/1.err)" = 'firstwrong' ]
    [ "$(<made/2.out)" = second ]
    [ -e made/2.err ]
    [ ! -s made/2.err ]
    say "run ${pids[0]} 0.1 echo a; sleep 1000" "run ${pids[1]} 50 kill -9 \$\$"
    expect "Job 3 Done timeout" "Job 4 Done signal 9"
    [ "$(<made/3.out)" = a ]
    log_is 'server: job 3 Done timeout after *.??? s: *' 'server: job 4 Done signal 9 after *.??? s: *'
}

@test "--output: what two jobs write at the same time is complete, in files of their own" {
    start_server --output output
    create_many 2
    mkfifo gate
    # Each job waits for the other to begin.
    for i in 0 1; do
        say "run ${pids[i]} 50 echo up >up$i; until [ -e up0 ] && [ -e up1 ]; do :; done; for i in 1 2 3 4; do yes $i$i | head -c 50000; yes e$i | head -c 50000 >&2; done"
    done
    for i in 0 1; do
        n=$((i + 1))
        expect "Job $n Done exit 0"
        for part in {1..4}; do yes $i$i | head -c 50000; done | cmp - output/$n.out
        for part in {1..4}; do yes e$i | head -c 50000; done | cmp - output/$n.err
    done
}

@test "--output: earlier files are kept; numbers go on after the highest, and other names do not count" {
    mkdir -m 755 output output/9.out
    echo old >output/2.out
    ln -s nothing output/11.err
    for name in 40.txt 50 .60.out 70.out.gz -80.out 9x.out 90.1.err .out; do
        echo other >"output/$name"
    done
    for number in 12 13; do
        start_server --output output
        create
        say "run $pid 50 echo $number" quit
        expect "Job $number Done exit 0"
        server_ends 0
        hang_up
    done
    [ "$(cat output/2.out output/12.out output/13.out output/90.1.err)" = $'old\n12\n13\nother' ]
    [ ! -e nothing ]
}

@test "--output: numbers never wrap; one that is too high is an error at the start" {
    mkdir -m 755 o
    : >o/999999999999999.err
    printf 'create_driver\nrun any 50 echo x\n' | session --output o >replies
    grep -qx 'Job 1000000000000000 Done exit 0' replies
    [ "$(<o/1000000000000000.out)" = x ]
    for name in 1000000000000000.out 18446744073709551615.out 18446744073709551616.err; do
        rm o/*
        : >"o/$name"
        run -1 session --output o </dev/null
        [ "$output" = "server: cannot go on from o/$name: number too large (limit 999999999999999)" ]
    done
}

@test "--output: what somebody has made since the start is left alone; the job is unrun, and says why" {
    start_server --output o
    create
    echo old >o/1.out
    ln -s ../nothing o/2.err
    mkfifo o/3.out
    mkdir o/4.err
    ln o/1.out o/5.out
    for name in 1.out 2.err 3.out 4.err 5.out; do
        say "run $pid 50 echo no >ran"
        expect "Job ${name%.*} Done unrun cannot open o/$name: File exists"
    done
    [ ! -e ran ]
    [ "$(cd o && echo *)" = '1.out 2.err 3.out 4.err 5.out' ] # what was made for a job that is unrun is gone
    stats_have runs=5 failures=0 lost=0
    say "run $pid 50 echo yes"
    expect "Job 6 Done exit 0"
    [ "$(<o/1.out)" = old ]
    [ ! -e nothing ]
}

@test "--output: if the directory is renamed or replaced, files go on to be made in it, also by new drivers" {
    start_server --output o
    create
    say "run $pid 50 echo 1"
    expect "Job 1 Done exit 0"
    mv o kept
    say "run $pid 50 echo 2"
    expect "Job 2 Done exit 0"
    mkdir -m 755 o
    create
    say "run $pid 50 echo 3"
    expect "Job 3 Done exit 0"
    rmdir o
    ln -s / o
    create
    say "run $pid 50 echo 4"
    expect "Job 4 Done exit 0"
    [ "$(cat kept/{1..4}.out)" = $'1\n2\n3\n4' ]
    rm -r kept
    create
    say "run $pid 50 echo no"
    expect 'Job 5 Done unrun cannot open o/5.out: No such file or directory'
}

@test "--output: without a /proc of its own, no driver writes into another directory" {
    needs_pid_namespace
    start unshare --fork --pid --kill-child "$SERVER" "${PATIENT[@]}" --driver "$DRIVER" --output o
    create
    say "run $pid 50 echo 1"
    expect "Job 1 Done exit 0"
    mv o kept
    mkdir -m 755 o
    say "run $pid 50 echo 2" create_driver
    expect "Job 2 Done exit 0" 'Error: cannot create driver: * died (exited with status 1)'
    logged ']: cannot open the directory for the output of jobs: '
    [ "$(cat kept/[12].out)" = $'1\n2' ]
    rmdir o
}

@test "--output: a directory that others can write is refused; one that the server makes is not theirs" {
    mkdir open
    for mode in 775 757 1777 722; do
        chmod "$mode" open
        run -1 session --output open </dev/null
        [ "$output" = 'server: cannot write into open: others can write there, too (try chmod go-w)' ]
    done
    for mask in 000 002 077; do
        (umask "$mask" && session --output "made$mask" </dev/null)
    done
    [ "$(stat -c %a made*)" = $'755\n755\n700' ]
    chmod 700 open
    ln -s open link # what counts is where it leads
    printf 'create_driver\nrun any 50 echo x\n' | (umask 027 && session --output link) >replies
    grep -qx 'Job 1 Done exit 0' replies
    [ "$(stat -c %a open/*)" = $'640\n640' ]
}

@test "--output: another user's directory is refused, also one that can be written" {
    become_other
    mkdir -m 755 theirs
    run -1 "${as_other[@]}" ./server --output theirs </dev/null
    [ "$output" = "server: cannot write into theirs: it is another user's" ]
    chown "$OTHER_UID" theirs
    run -1 session --output theirs </dev/null
    [ "$output" = "server: cannot write into theirs: it is another user's" ]
    [ "$(printf 'create_driver\nrun any 50 id -u\n' | "${as_other[@]}" ./server --output theirs | grep -c 'Done exit 0')" = 1 ]
    [ "$(<theirs/1.out)" = "$OTHER_UID" ]
}

@test "--output: a job that is not run leaves no new file" {
    start_listening --output output
    create
    busy_with "$pid"
    for refused in "$pid 50:driver $pid Busy *" '77 50:no driver 77' 'any 0:bad seconds*'; do
        run -125 control "run ${refused%%:*} echo refused"
        [[ $output == "Error: "${refused#*:} ]]
    done
    open_gate
    expect 'Job 1 Done exit 0'
    [ "$(cat output/*)" = '' ]
    [ ! -e output/2.out ]
    say "run $pid 50 true"
    expect 'Job 2 Done exit 0' # those that got an Error have given their number back
}

@test "--output: if the directory cannot be written to, the server says why; status 1" {
    echo >file
    run -1 session --output file </dev/null
    [ "$output" = 'server: cannot write into file: Not a directory' ]
    run -1 session --output missing/directory </dev/null
    [ "$output" = 'server: cannot make the directory missing/directory: No such file or directory' ]
    mkdir -m 555 locked
    if [ "$(id -u)" = 0 ]; then
        become_other
        chown "$OTHER_UID" locked
        run -1 "${as_other[@]}" ./server --output locked </dev/null
    else
        run -1 session --output locked </dev/null
    fi
    [ "$output" = 'server: cannot write into locked: Permission denied' ]
}

@test "--output: a path that a reply could not contain is wrong usage" {
    for path in $'a\nb' $'a\tb' $'\303\244' ''; do
        run -2 session --output "$path" </dev/null
        [[ $output == 'server: --output'* ]]
    done
    long=$(printf '%0513d' 0)
    run -2 session --output "$long" </dev/null
    [[ $output == 'server: --output: path too long (limit 512 bytes)'* ]]
    # The longest path fits into replies of both formats, also where it is part of a reason.
    (umask 022 && mkdir -p '"\ '"/${long:0:200}/${long:0:200}")
    path='"\ '"/${long:0:200}/${long:0:200}/"
    path+=${long:0:512-${#path}}
    number=0
    for option in --json --verbose; do
        number=$((number + 1))
        output=$(printf 'create_driver\nrun any 50 echo x\n' | session $option --output "$path" 2>/dev/null)
        [ "$(<"$path/$number.out")" = x ]
        if [ $option = --json ]; then
            escaped=${path//\\/\\\\}
            escaped=${escaped//\"/\\\"}
            [[ $output == *",\"command\":\"echo x\",\"out\":\"$escaped/1.out\",\"err\":\"$escaped/1.err\"}" ]]
            wanted="\"unrun\":\"cannot open $escaped/2.out: File exists\",\"command\":\"echo no\"}"
        else
            [[ $output == *'Job 3 Done exit 0' ]]
            wanted="Job 4 Done unrun cannot open $path/4.out: File exists"
        fi
        number=$((number + 1))
        start_server $option --output "$path"
        say create_driver
        expect '*'
        mkdir "$path/$number.out"
        say "run any 50 echo no"
        expect '*'
        [[ $line == *"$wanted" ]] || fail "$line"
        hang_up
        rmdir "$path/$number.out"
        : >"$path/$number.out"
    done
}

@test "--output: many of the longest replies, not read for a while, arrive whole and in order" {
    path=$(printf '%0200d/%0200d/%0100d' 0 0 0 | tr 0 '"')
    (umask 022 && mkdir -p "$path")
    start_server -j --drivers 2 --output "$path"
    mkfifo gate
    {
        echo 'run any 50 read x <gate; exit 1' # later jobs go on, their replies wait
        for i in {2..150}; do echo "run any 50 echo $i; exit $i"; done
    } >&"$to"
    wait_for "$path/150.out"
    open_gate
    wait_until output_waits
    timeout "$DEADLINE" head -n 150 <&"$from" >replies
    escaped=${path//\"/\\\"}
    i=0
    while IFS= read -r line; do
        command="echo $((++i)); exit $i"
        ((i > 1)) || command='read x <gate; exit 1'
        [[ $line == "{\"job\":$i,\"driver\":"+([0-9])",\"exit\":$i,\"ms\":"*",\"left\":0,\"command\":\"$command\",\"out\":\"$escaped/$i.out\",\"err\":\"$escaped/$i.err\"}" ]] ||
            fail "$line"
    done <replies
    ((i == 150))
}

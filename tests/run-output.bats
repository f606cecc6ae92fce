#!/usr/bin/env bats
# --output: files for what jobs write.

load lib/helpers

@test "--output: files are numbered from 1 in the order of the commands; replies name them" {
    start_server --output made
    create_many 2
    [ -d made ]
    mkfifo gate
    say "run ${pids[0]} 50 read x <gate; echo first; echo wrong >&2" "run ${pids[1]} 50 echo second"
    wait_for made/2.out second
    open_gate
    expect "Driver ${pids[0]} Done exit 0 made/1.out made/1.err" "Driver ${pids[1]} Done exit 0 made/2.out made/2.err"
    [ "$(<made/1.out)$(<made/1.err)" = 'firstwrong' ]
    [ "$(<made/2.out)" = second ]
    [ -e made/2.err ]
    [ ! -s made/2.err ]
    say "run ${pids[0]} 0.1 echo a; sleep 1000" "run ${pids[1]} 50 kill -9 \$\$"
    expect "Driver ${pids[0]} Done timeout made/3.out made/3.err" "Driver ${pids[1]} Done signal 9 made/4.out made/4.err"
    [ "$(<made/3.out)" = a ]
    log_is
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
        expect "Driver ${pids[i]} Done exit 0 output/$n.out output/$n.err"
        for part in {1..4}; do yes $i$i | head -c 50000; done | cmp - output/$n.out
        for part in {1..4}; do yes e$i | head -c 50000; done | cmp - output/$n.err
    done
}

@test "--output: earlier files are kept; numbers go on behind the highest, and other names do not count" {
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
        expect "Driver $pid Done exit 0 output/$number.out output/$number.err"
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
    grep -q 'Done exit 0 o/1000000000000000.out o/1000000000000000.err$' replies
    for name in 1000000000000000.out 18446744073709551615.out 18446744073709551616.err; do
        rm o/*
        : >"o/$name"
        run -1 session --output o </dev/null
        [ "$output" = "server: cannot go on from o/$name: number too large (limit 999999999999999)" ]
    done
}

@test "--output: what somebody has made since the start is left alone; the run gets an Error that names it" {
    start_server --output o
    create
    echo old >o/1.out
    ln -s ../nothing o/2.err
    mkfifo o/3.out
    mkdir o/4.err
    ln o/1.out o/5.out
    for i in 1 2 3 4 5; do
        say "run $pid 50 echo no"
        expect "Error: cannot run: $i.out or $i.err: File exists"
    done
    say "run $pid 50 echo yes"
    expect "Driver $pid Done exit 0 o/6.out o/6.err"
    [ "$(<o/1.out)" = old ]
    [ ! -e nothing ]
}

@test "--output: if the directory is renamed or replaced, files go on to be made in it, also by new drivers" {
    start_server --output o
    create
    say "run $pid 50 echo 1"
    expect "Driver $pid Done exit 0 *"
    mv o kept
    say "run $pid 50 echo 2"
    expect "Driver $pid Done exit 0 *"
    mkdir -m 755 o
    create
    say "run $pid 50 echo 3"
    expect "Driver $pid Done exit 0 *"
    rmdir o
    ln -s / o
    create
    say "run $pid 50 echo 4"
    expect "Driver $pid Done exit 0 *"
    [ "$(cat kept/{1..4}.out)" = $'1\n2\n3\n4' ]
    rm -r kept
    create
    say "run $pid 50 echo no"
    expect 'Error: cannot run: No such file or directory'
}

@test "--output: without a /proc of its own, no driver writes into another directory" {
    unshare --fork --pid true 2>/dev/null || skip 'no pid namespace to be had'
    start unshare --fork --pid --kill-child "$SERVER" "${PATIENT[@]}" --driver "$DRIVER" --output o
    create
    say "run $pid 50 echo 1"
    expect "Driver $pid Done exit 0 o/1.out o/1.err"
    mv o kept
    mkdir -m 755 o
    say "run $pid 50 echo 2" create_driver
    expect "Driver $pid Done exit 0 *" 'Error: cannot create driver: * died (exited with status 1)'
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
    grep -q 'Done exit 0 link/1.out link/1.err$' replies
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
    start_server --output output
    create
    mkfifo gate
    say "run $pid 50 read x <gate" "run $pid 50 echo busy" 'run 77 50 echo none' 'run any 0 echo none'
    wait_until took 5
    open_gate
    expect 'Driver * output/1.err' "Error: driver $pid Busy 50" 'Error: no driver 77' 'Error: bad seconds*'
    [ "$(cat output/*)" = '' ]
    [ ! -e output/2.out ]
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
    # The longest path fits into replies of both formats.
    (umask 022 && mkdir -p '"\ '"/${long:0:200}/${long:0:200}")
    path='"\ '"/${long:0:200}/${long:0:200}/"
    path+=${long:0:512-${#path}}
    number=0
    for option in --json --verbose; do
        number=$((number + 1))
        output=$(printf 'create_driver\nrun any 50 echo x\n' | session $option --output "$path" 2>/dev/null)
        escaped=$path
        if [ $option = --json ]; then
            escaped=${escaped//\\/\\\\}
            escaped=${escaped//\"/\\\"}
        fi
        [[ $output == *"$escaped/$number.out"*"$escaped/$number.err"* ]]
        [ "$(<"$path/$number.out")" = x ]
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
        [[ $line == '{"driver":'*',"exit":'$((++i))',"ms":'*",\"out\":\"$escaped/$i.out\",\"err\":\"$escaped/$i.err\"}" ]] ||
            fail "$line"
    done <replies
    ((i == 150))
}

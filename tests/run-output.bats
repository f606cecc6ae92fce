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

@test "--output: an old file is emptied; if a file cannot be opened, the run gets an Error" {
    mkdir output output/2.out
    printf 'old and long' >output/1.out
    start_server --output output
    create
    say "run $pid 50 echo new" "wait $pid" "run $pid 50 echo no" "run $pid 50 echo yes"
    expect "Driver $pid Done exit 0 output/1.out output/1.err" "Driver $pid Available" \
        'Error: cannot run: Is a directory' "Driver $pid Done exit 0 output/3.out output/3.err"
    [ "$(<output/1.out)" = new ]
    rm -r output
    say "run $pid 50 echo no"
    expect 'Error: cannot run: No such file or directory'
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
    if [ "$(id -u)" = 0 ]; then
        become_other
        mkdir locked
        chmod 755 locked
        run -1 "${as_other[@]}" ./server --output locked </dev/null
    else
        mkdir -m 555 locked
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
    mkdir -p '"\ '"/${long:0:200}/${long:0:200}"
    path='"\ '"/${long:0:200}/${long:0:200}/"
    path+=${long:0:512-${#path}}
    for option in --json --verbose; do
        output=$(printf 'create_driver\nrun any 50 echo x\n' | session $option --output "$path" 2>/dev/null)
        escaped=$path
        if [ $option = --json ]; then
            escaped=${escaped//\\/\\\\}
            escaped=${escaped//\"/\\\"}
        fi
        [[ $output == *"$escaped/1.out"*"$escaped/1.err"* ]]
        [ "$(<"$path/1.out")" = x ]
    done
}

@test "--output: many of the longest replies, not read for a while, arrive whole and in order" {
    path=$(printf '%0200d/%0200d/%0100d' 0 0 0 | tr 0 '"')
    mkdir -p "$path"
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

@test "--output: what is there but not a regular file is not written to; the run gets an Error" {
    mkdir output
    mkfifo output/1.out output/2.err
    start_server --output output
    create
    say "run $pid 50 true" "run $pid 50 true" "run $pid 50 true"
    expect 'Error: cannot run: *' 'Error: cannot run: *' "Driver $pid Done exit 0 output/3.out output/3.err"
}

@test "--output: a FIFO without a reader in the file's place delays nothing" {
    mkdir o
    mkfifo o/1.out
    start_server --output o
    create
    say "run $pid 100 true" "run $pid 100 true" "wait $pid"
    expect 'Error: cannot run: No such device or address' \
        "Driver $pid Done exit 0 o/2.out o/2.err" "Driver $pid Available"
}

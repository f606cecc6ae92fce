#!/usr/bin/env bats
# The client program by the name taxi: how it finds the server, what it makes of words, and --here.

load lib/helpers

setup_file() {
    ln -sf "$SERVER" "$BATS_FILE_TMPDIR/taxi"
}

# taxi WORD...: runs the client program by its name.
taxi() {
    timeout --foreground -k 1 120 "$BATS_FILE_TMPDIR/taxi" "$@"
}

# start_taxi OPTION...: starts a server with a driver. Clients find it by TAXI_SOCKET; what jobs write
# goes to files in output.
start_taxi() {
    start_listening --output output "$@"
    export TAXI_SOCKET=$PWD/taxi.sock
    create
}

@test "taxi: finds the server by --connect, else TAXI_SOCKET, else XDG_RUNTIME_DIR; empty is as unset" {
    export XDG_RUNTIME_DIR=$PWD/run TAXI_SOCKET
    mkdir -p run/taxi
    start_server --listen run/taxi/control
    create
    (exec "$SERVER" --listen named </dev/null 2>named.err 3>&-) &
    started+=("$!")
    wait_until "$SERVER" --connect named stats >/dev/null
    unset TAXI_SOCKET
    run -0 taxi get_drivers
    [ "${lines[1]}" = '1 driver' ]
    export TAXI_SOCKET=
    run -0 taxi get_drivers
    [ "${lines[1]}" = '1 driver' ]
    TAXI_SOCKET=named
    run -0 taxi get_drivers
    [ "$output" = '0 drivers' ]
    run -0 taxi --connect run/taxi/control --json get_drivers
    [ "${lines[1]}" = '{"count":1}' ]
    run -0 taxi <<<get_drivers
    [ "$output" = '0 drivers' ]
    TAXI_SOCKET=nowhere
    run -3 taxi get_drivers
    [ "$output" = 'taxi: no server answers at nowhere: No such file or directory' ]
}

@test "taxi: if nothing names the server, or a path cannot be one, says so and ends with status 2" {
    export TAXI_SOCKET='' XDG_RUNTIME_DIR
    for XDG_RUNTIME_DIR in '' run; do # the second is not absolute, so it does not count
        run -2 taxi stats
        [ "$output" = 'taxi: where is the server? TAXI_SOCKET is not set, and neither is XDG_RUNTIME_DIR; --connect PATH names its socket (try --help)' ]
    done
    XDG_RUNTIME_DIR=/$(printf 'x%0200d' 0)
    run -2 taxi stats
    [ "$output" = "taxi: XDG_RUNTIME_DIR: path too long (limit 107 bytes): '$XDG_RUNTIME_DIR/taxi/control' (try --help)" ]
    TAXI_SOCKET=localhost:80
    run -2 taxi stats
    [[ $output == "taxi: TAXI_SOCKET needs the path of a UNIX socket, and 'localhost:80' looks like a port"* ]]
}

@test "taxi: has the options of a client; its help and version have its name" {
    export TAXI_SOCKET=nowhere
    run -0 taxi --help
    [[ $output == 'usage: taxi [OPTION]... [COMMAND [WORD]...]'*'$TAXI_SOCKET'* ]]
    [ "$(grep -oE -- '--[a-z-]+' <<<"$output" | xargs)" = '--connect --here --json --help --version' ]
    run -0 taxi --version
    [[ $output == 'taxi '+([0-9.]) ]]
    for option in '--drivers 4' -n4 '--drivers=4'; do
        # shellcheck disable=SC2086
        run -2 taxi $option stats
        [ "$output" = 'taxi: --drivers is an option of taxi-server (try --help)' ]
    done
    run -2 taxi --fly
    [ "$output" = "taxi: unknown option '--fly' (try --help)" ]
    run -2 taxi --jsno stats
    [ "$output" = "taxi: unknown option '--jsno' (did you mean --json?)" ]
    run -2 taxi --drvers 2 # an option of the server is not suggested
    [ "$output" = "taxi: unknown option '--drvers' (try --help)" ]
    run -2 session --here
    [ "$output" = 'server: --here goes with --connect only (try --help)' ]
}

# Prints all bytes that a word can have but newline, each with a blank before it.
all_bytes() {
    local code
    for ((code = 1; code < 256; code++)); do
        ((code == 10)) || printf ' %b' "\\x$(printf %x $code)"
    done
}

@test "taxi: a job that is given as several words gets just these words" {
    start_taxi
    words=('a  b' "it's" '' ' ' "'" "''" '$HOME' '`id`' $'\\' '\n' '*' '~' '#x' '&&' ';' '>x' 'A=b' '{a,b}' '!' '"' $'\t' \
        $'end\r' "$(all_bytes)" -- -n time if)
    taxi run any 60 printf '[%s]\n' "${words[@]}" | grep -qx 'Job 1 Done exit 0'
    printf '[%s]\n' "${words[@]}" | cmp - output/1.out
    [ ! -s output/1.err ]
    control run any 60 printf '[%s]\n' "${words[@]}" # the same by the other name
    cmp output/1.out output/2.out
}

@test "taxi: a program whose name sh would take for something else gets just its words, too" {
    PATH=$PWD:$PATH
    names=(time if '{' '!' A=b 'a program' -x '[[' '#')
    for name in "${names[@]}"; do
        printf '#!/bin/sh\necho "it is $1"\n' >"./$name"
        chmod +x "./$name"
    done
    start_taxi
    number=0
    for name in "${names[@]}"; do
        number=$((number + 1))
        run -0 taxi run any 60 "$name" 'this  one'
        [ "$(cat output/$number.out)" = 'it is this  one' ] || fail "$name: $(cat output/$number.*)"
        number=$((number + 1))
        run -0 taxi run any 60 "$name" these
        [ "$(cat output/$number.out)" = 'it is these' ] || fail "$name: $(cat output/$number.*)"
    done
}

@test "taxi: a job that is given as one word is a line for the shell; so is a whole command" {
    start_taxi
    run -7 taxi run any 60 'echo "a  b"; exit 7'
    run -0 taxi 'run any 60 echo "c  d" | cat'
    run -0 taxi '  run any' 60 'echo e;' 'echo f' # not this command by name: joined by blanks
    run -3 taxi run any 60 exit 3
    [ "$(cat output/1.out output/2.out)" = $'a  b\nc  d' ]
    [ "$(cat output/3.out)" = $'e\nf' ]
    run -1 taxi get_status '1 2'
    [ "$output" = 'Error: usage: get_status PID' ]
    run -1 taxi fly 'a  b'
    [ "$output" = "Error: unknown command 'fly' (try help)" ]
}

@test "taxi: a word with a newline, and words that are too long once they are quoted, are wrong usage" {
    start_taxi
    for words in 'true' 'echo x'; do
        # shellcheck disable=SC2086
        run -2 taxi run any 60 $words $'a\nb'
        [ "$output" = 'taxi: a command is one line (try --help)' ]
    done
    quotes=$(printf "%01020d" 0 | tr 0 "'")
    run -2 taxi run any 60 echo "$quotes"
    [ "$output" = 'taxi: command too long (limit 4096 bytes) (try --help)' ]
    run -2 taxi run any 60 echo x "$(printf "%0100000d" 0)"
    [ "$output" = 'taxi: command too long (limit 4096 bytes) (try --help)' ]
    run -0 taxi run any 60 echo "${quotes:1}"
    [ "$(cat output/1.out)" = "${quotes:1}" ]
}

@test "taxi: an empty word, or one with a blank, before the words of a job is wrong usage" {
    start_taxi
    run -2 taxi run any '' echo x
    [ "$output" = "taxi: a word before the job is empty or has a blank: '' (try --help)" ]
    run -2 taxi run any '5 echo x' a
    [ "$output" = "taxi: a word before the job is empty or has a blank: '5 echo x' (try --help)" ]
}

# here_is NUMBER DIRECTORY: job NUMBER has written that it ran there.
here_is() {
    [ "$(cat "output/$1.out")" = "$2" ] || fail "$(cat "output/$1.out")"
}

@test "taxi --here: jobs run in the client's directory, whatever its name; other commands do not change" {
    start_taxi
    root=$PWD number=0
    for name in plain 'a  blank' "it's" '-n' '$HOME' $'caf\xe9' $'tab\tand\rreturn' '*' '~'; do
        mkdir "./$name"
        cd "./$name"
        CDPATH=/ run -0 taxi --here run any 60 pwd
        [ "$output" = "Job $((number + 1)) Done exit 0" ]
        run -0 taxi --here run any 60 printf '%s\n' 'a  b' "$name"
        printf 'run any 60 pwd\r\n  run\tany  60 pwd; true\n# run any 60 false\nwait\nrun any 60 pwd' >commands
        run -0 taxi --here <commands
        [ "${lines[2]}" = '1 driver' ]
        cd "$root"
        for i in 1 3 4 5; do
            here_is $((number + i)) "$PWD/$name"
        done
        [ "$(cat output/$((number + 2)).out)" = $'a  b\n'"$name" ]
        number=$((number + 5))
    done
    run -125 taxi --here run any
    [ "$output" = 'Error: usage: run PID|any SECONDS COMMAND...' ]
    run -1 taxi --here <<<'run any 60'
    [ "$output" = 'Error: usage: run PID|any SECONDS COMMAND...' ]
}

@test "taxi --here: the command that replies and logs show has the directory" {
    start_taxi -v
    mkdir plain
    cd plain
    run -1 taxi --here --json run any 60 false
    [[ $output == *',"command":"cd '"$PWD"' || exit 125; false"'* ]]
    cd "$BATS_TEST_TMPDIR"
    logged "Done exit 1 after .* s: cd $PWD/plain || exit 125; false\$"
}

@test "taxi --here: if the server finds no such directory, nothing of the job runs, and it ends with 125" {
    start_taxi
    mkdir gone
    cd gone
    mkfifo ../gate
    say 'run any 60 read x <gate'
    taxi --here run any 60 'touch ../ran; touch ../ran' >../reply &
    client=$!
    cd "$BATS_TEST_TMPDIR"
    wait_until took 4 # session, create_driver and both runs
    rmdir gone
    echo >gate
    status=0
    wait "$client" || status=$?
    [ "$status" = 125 ]
    [ "$(cat reply)" = 'Job 2 Done exit 125' ]
    [ ! -e ran ]
    grep -q 'cd: .*gone' output/2.err
}

@test "taxi --here: a directory that a line cannot name is refused, and nothing is sent" {
    start_taxi
    mkdir $'new\nline' gone
    cd $'new\nline'
    run -2 taxi --here run any 60 true
    [ "$output" = 'taxi: --here: the name of this directory has a newline (try --help)' ]
    run -2 taxi --here <<<'get_drivers'
    cd ../gone
    rmdir ../gone
    run -1 taxi --here run any 60 true
    [ "$output" = 'taxi: cannot find the working directory: No such file or directory' ]
    cd "$BATS_TEST_TMPDIR"
    long=$(printf "%0250d" 0 | tr 0 "'")
    for i in {1..5}; do
        mkdir "$long"
        cd "$long"
    done
    run -2 taxi --here run any 60 true
    [ "$output" = 'taxi: --here: the name of this directory is too long (try --help)' ]
    cd "$BATS_TEST_TMPDIR"
    wait_until took 2 # session and create_driver
}

@test "taxi --here: a line that is too long with the directory is one Error, or wrong usage in words" {
    start_taxi
    mkdir directory
    cd directory
    prefix="cd $PWD || exit 125; "
    room=$((4095 - ${#prefix} - 11)) # for the job after "run any 60 "
    fits=$(printf ": %0$((room - 2))d" 0)
    run -2 taxi --here run any 60 "${fits}0"
    [ "$output" = 'taxi: command too long with --here (limit 4096 bytes) (try --help)' ]
    run -0 taxi --here run any 60 "$fits"
    {
        echo "run any 60 $fits"
        echo "run any 60 ${fits}0"
        printf 'run any 60 touch ran; %04072d\n' 0        # 4095 bytes
        printf 'run any 60 touch ran; %04073d\n' 0        # 4096
        printf '%0200000d run any 60 touch ran \n' 0      # more than a block
        printf 'fly %065500d\nrun any 60 pwd >pwd\n' 0
        printf '%04096d' 0
    } >lines
    run -1 taxi --here <lines
    [ "$output" = "Job 2 Done exit 0
Error: line too long (limit 4096 bytes)
Error: line too long (limit 4096 bytes)
Error: line too long (limit 4096 bytes)
Error: line too long (limit 4096 bytes)
Error: line too long (limit 4096 bytes)
Job 3 Done exit 0
Error: line too long (limit 4096 bytes)" ] || fail "$output"
    [ "$(cat pwd)" = "$PWD" ]
    [ ! -e ran ]
    run -1 taxi --here < <(printf 'run any 60 %063000d\nget_drivers\n' 0) # a line that almost fills a block
    [ "${lines[0]}" = 'Error: line too long (limit 4096 bytes)' ]
    [ "${lines[2]}" = '1 driver' ]
}

@test "taxi --here: fifty thousand lines become what they should, however they come" {
    start_taxi
    seq 1000000000 1000024999 >pids
    sed 's/.*/get_status &\nrun & 5 true/' pids >commands
    sed 's/.*/Error: no driver &\nError: no driver &/' pids >expected
    taxi --here <commands >replies || [ $? = 1 ]
    cmp replies expected
    dd if=commands bs=7 count=2000 status=none | taxi --here >replies || [ $? = 1 ]
    sed -i '$d' replies # of the line that was cut off
    head -n "$(wc -l <replies)" expected | cmp - replies
    (($(wc -l <replies) > 500))
}

@test "taxi --here: half a line is not sent, and a client at a terminal has its prompt" {
    start_taxi
    mkdir other
    control_fd=$to
    start_terminal "cd other && '$BATS_FILE_TMPDIR/taxi' --here"
    shows '^> $'
    keys 'run any 60 pwd\n'
    shows '^Job 1 Done exit 0'
    keys '\004'
    wait_until ended "$terminal_pid"
    exec {to}>&-
    to=$control_fd
    here_is 1 "$PWD/other"
    mkfifo half
    perl "$LIB/deceive.pl" other.sock heard 3>&- &
    started+=("$!")
    wait_until test -e heard
    "$BATS_FILE_TMPDIR/taxi" --here -c other.sock <half >half.out 2>half.err 3>&- &
    client=$!
    started+=("$client")
    exec {half}>half
    printf 'get_drivers\nrun any 60 touch ran' >&"$half"
    wait_until grep -qx get_drivers heard
    kill -TERM "$client"
    wait_until ended "$client"
    exec {half}>&-
    wait_until grep -qx end heard
    [ "$(cat heard)" = $'session farewell\nget_drivers\nend' ]
}

# replies STATUS REPLY WORD...: if the server answers with the reply, the client of that command ends
# with that status, and with STATUS_OF_INPUT if it was on standard input.
replies() {
    local status=$1
    printf '%b\n' "$2" >reply
    run "-$status" taxi "${@:3}"
    [ "$output" = "$(cat reply)" ]
    run "-$STATUS_OF_INPUT" taxi <<<"${*:3}"
}

@test "taxi: the status of run and wait_job is the job's, of submit 125 if it was not taken; of other commands it is 1 after an Error, else 0" {
    start perl "$LIB/fake-server.pl" taxi.sock reply
    wait_until test -S taxi.sock
    wait_until in_state "$server_pid" S # it waits for a client
    export TAXI_SOCKET=taxi.sock
    STATUS_OF_INPUT=0
    replies 0 'Job 7 Done exit 0' wait_job 7
    replies 0 'Job 7 Waiting' submit 60 make
    replies 0 'Job 7 Done exit 1\tmake\nJob 8 Done unrun x\ttrue\n2 jobs' get_jobs all
    STATUS_OF_INPUT=4
    replies 7 'Job 7 Done exit 7' wait_job 7
    replies 137 'Job 7 Done signal 9' wait_job 7
    replies 124 'Job 7 Done timeout' wait_job 7
    replies 125 'Job 7 Done cancelled' wait_job 7
    replies 125 'Job 7 Done unrun server is stopping' wait_job 7
    replies 125 'Job 7 Done lost driver 1 died (killed by signal 9)' run any 60 make
    replies 125 'Job 7 Done unrun the log cannot be written' submit 60 make
    replies 125 '{"job":7,"unrun":"the log cannot be written"}' submit 60 make
    replies 0 'Job 7 Done cancelled' cancel_job 7
    replies 3 '{"job":7,"driver":20783,"exit":3,"ms":12.3}' wait_job 7
    STATUS_OF_INPUT=1
    replies 125 'Error: no job 7' wait_job 7
    replies 1 'Error: queue is full (limit 100000)' submit 60 make
    replies 1 'Error: job 7 is Done' cancel_job 7
}

#!/usr/bin/env bats
# The recipes of scripts/recipes: each does what its comment says.

load lib/helpers

RECIPES=$ROOT/scripts/recipes

# Makes patient, a server whose drivers may be slow, see PATIENT.
make_patient() {
    program patient "exec '$SERVER' ${PATIENT[*]} --start-timeout $DEADLINE \"\$@\""
}

# recipe NAME ARGUMENT...: runs the recipe.
recipe() {
    make_patient
    SERVER=$PWD/patient timeout --foreground 120 "$RECIPES/$1" "${@:2}" 3>&-
}

# in_background NAME ARGUMENT...: the same in the background. Sets recipe_pid to the pid of the recipe.
in_background() {
    make_patient
    SERVER=$PWD/patient "$RECIPES/$1" "${@:2}" >recipe.out 2>recipe.err 3>&- &
    recipe_pid=$!
    started+=("$recipe_pid")
}

# program NAME LINE...: makes a bash script.
program() {
    printf '%s\n' "#!$BASH" "${@:2}" >"$1.new"
    chmod +x "$1.new"
    mv "$1.new" "$1"
}

needs() {
    command -v "$1" >/dev/null || skip "no $1"
}

@test "recipes: each has a test, a line in README.md, and a comment at its head that says how to call it" {
    count=0
    for file in "$RECIPES"/*; do
        name=${file##*/}
        [[ $name != *.md && $name != *.yaml ]] || continue
        count=$((count + 1))
        grep -qE "^@test \"(recipes: )?${name}[: ]" "$ROOT"/tests/*.bats || fail "no test of $name"
        grep -qF -- "- [$name]($name): " "$RECIPES/README.md" || fail "README.md does not list $name"
        [[ $name == *.c || -x $file ]] || fail "$name is not executable"
        sed -n '2,10p' "$file" | grep -qE '^(#| \*) [A-Z]' || fail "$name has no comment at its head"
        grep -qE "^(#| \*) .*\b${name%.c}\b" "$file" || fail "$name does not say how to call it"
    done
    ((count >= 14))
    grep -o '^- \[[A-Za-z-]*' "$RECIPES/README.md" | LC_ALL=C sort -cf
}

@test "recipes: ci.sh stops at the check that fails, and shows its output alone" {
    # With one processor, the last check does not begin.
    (($(nproc) > 1)) || echo 1 >pid
    run -4 recipe ci.sh 'echo fine' $'echo wrong\necho why >&2; until [ -s pid ]; do sleep 0.1; done; exit 3' \
        'echo $$ >pid; exec sleep 1000'
    [[ $output == *'job 2 Done exit 3'*$'\nwrong\nwhy' && $'\n'$output != *$'\nfine'* ]]
    (($(<pid) == 1)) || ended "$(<pid)"
    run -0 recipe ci.sh 'echo fine' true
    [ -z "$output" ]
}

@test "recipes: ci.sh, when it is ended, cancels its checks with their grace period" {
    for signal in TERM HUP; do
        rm -f check polite
        in_background ci.sh 'trap "echo >polite; exit" TERM; echo $$ >check; while :; do sleep 0.1; done'
        wait_until test -s check
        kill -$signal "$recipe_pid"
        status=0
        wait "$recipe_pid" || status=$?
        ((status == 4))
        ended "$(<check)"
        [ -e polite ]
    done
}

@test "recipes: client.c gives a command, and ends as its job did" {
    flags=$(sed -nE 's/^(STANDARD|WARNINGS) += //p; s/^WARNINGS = //p' "$ROOT/Makefile")
    # shellcheck disable=SC2086 # words
    "${CC:-cc}" $flags -Werror -O1 -o client "$RECIPES/client.c"
    client_works ./client 'Job 1 Done exit 7' 'Job 2 Done signal 9' "Error: unknown command 'fly'*"
    run -1 ./client taxi.sock 'run any 0.1 sleep 1000'
    client_notices_the_end ./client
}

@test "recipes: client.py gives a command, and ends as its job did" {
    needs python3
    client_works "$RECIPES/client.py" '{"job":1,*"exit":7,*' '{"job":2,*"signal":9,*' '{"error":*"unknown_command"}'
    run -124 "$RECIPES/client.py" taxi.sock run any 0.1 sleep 1000
    client_notices_the_end "$RECIPES/client.py"
}

# client_works CLIENT EXIT SIGNAL ERROR: the client of a server gets replies that match these patterns, and ends with
# the status that fits each.
client_works() {
    start_listening --drivers 1
    run -7 "$1" taxi.sock 'run any 60 exit 7'
    # shellcheck disable=SC2053 # the right side is a pattern, here and below
    [[ $output == $2 ]]
    run -137 "$1" taxi.sock 'run any 60 kill -9 $$'
    # shellcheck disable=SC2053
    [[ $output == $3 ]]
    run -1 "$1" taxi.sock fly
    # shellcheck disable=SC2053
    [[ $output == $4 ]]
    run -0 "$1" taxi.sock get_drivers
    ((${#lines[@]} == 2))
    run -2 "$1" taxi.sock
    run -2 "$1" taxi.sock $'run any 60 exit 7\nrun any 60 touch second'
    [ ! -e second ]
    run -0 "$1" taxi.sock $'run any 60 touch name-\xff'
    [ -e $'name-\xff' ]
}

# client_notices_the_end CLIENT: its status is 3 if the server is killed before it replies, and if there is none.
client_notices_the_end() {
    local client status=0
    "$1" taxi.sock 'run any 100 echo >up; exec sleep 1000' 3>&- &
    client=$!
    started+=("$client")
    wait_until test -e up
    kill -KILL "$server_pid"
    wait "$client" || status=$?
    ((status == 3))
    run -3 "$1" taxi.sock get_drivers
}

@test "recipes: coproc.sh gives a job more time, and goes on to the next" {
    run -1 recipe coproc.sh 1 '[ -e seen ] || { touch seen; exec sleep 1000; }' 'exit 7'
    [[ $output == *'exit 0 in '[1-9]*' s: [ -e seen ] '*'exit 7 in '*' s: exit 7'* ]]
    [[ $output == *'job 1 Done timeout'* ]]
    run -0 recipe coproc.sh 60 true
    [ "$output" = 'exit 0 in 60 s: true' ]
    run -2 recipe coproc.sh 0.5 true
    run -2 recipe coproc.sh 60 $'true\nfly' 'exit 7'
    [ "$output" = 'coproc.sh: a job is one line' ]
}

@test "recipes: driver.py is a driver for tasks and jobs" {
    needs python3
    start_as_server "$RECIPES/driver.py"
    say 'task 1 100000' 'task 2 5' 'cancel 3 2' 'status 4' 'run 5 100 100 - 0 square 1' 'cancel 6 0'
    expect 'state 1 1 0 100000' 'state 2 1 1 *' 'state 3 1 2 *' 'state 4 1 0 *' 'state 5 1 1 *' 'end 0 2' 'state 6 0 0 0'
    say 'task 7 1'
    expect 'state 7 1 0 1' 'end 0 1'
    say 'task 8 5 1' 'run 9 100 100 1 0 square 1'
    expect 'state 8 0 3 0' 'state 9 0 3 0'
    say 'run 10 60000 100 - 0 square 12'
    expect 'state 10 2 0 60000' 'begun 10 *' 'result 10 3 0 0 0'
    wait_for err 144
    say 'job 11 60000 100 0 - 11 1 6 square\0a b\0'
    expect 'state 11 2 *' 'begun 11 *' 'result 11 3 1 0 0'
    wait_for err "ValueError.*'a b'"
    say 'run 12 60000 100 - 0 fly'
    expect 'state 12 2 *' 'begun 12 *' 'result 12 3 127 0 0'
    say 'run 13 60000 100 - 1 square 1'
    expect 'state 13 2 *' 'result 13 6 95 4 0'
}

@test "recipes: driver.py ends a job at its limit, when it is asked to, and with the server" {
    needs python3
    start_as_server "$RECIPES/driver.py"
    say 'run 1 100 60000 - 0 sleep 1000'
    expect 'state 1 2 *' 'begun 1 *' 'result 1 5 0 0 0'
    begin_to_sleep 2
    say 'cancel 3 2'
    expect 'state 3 2 *' 'result 2 2 0 0 0'
    begin_to_sleep 4
    kill -KILL "$job"
    expect 'result 4 4 9 0 0'
    begin_to_sleep 5
    say exit
    expect 'result 5 2 0 0 0' 'gone 0'
    server_ends 0
    hang_up
    start_as_server "$RECIPES/driver.py"
    begin_to_sleep 1
    end_input
    server_ends 0
    wait_until ended "$job"
}

# begin_to_sleep ID: the driver runs a job that lasts. Sets job to its pid.
begin_to_sleep() {
    say "run $1 100000 60000 - 0 sleep 1000"
    expect "state $1 2 *" "begun $1 *"
    job=${line##* }
}

@test "recipes: driver.py works for the server" {
    needs python3
    export PYTHONUNBUFFERED=1 # with this, Python would write a line and its end apart
    seq 20 | session --start-timeout "$DEADLINE" --driver "$RECIPES/driver.py" --drivers 2 --each 60 square >said 2>err
    (($(grep -c 'Done exit 0' said) == 20))
    diff <(sort -n err) <(for i in {1..20}; do echo $((i * i)); done)
}

@test "recipes: fifo.sh takes whole lines from several writers" {
    mkdir 'a dir'
    in_background fifo.sh 'a dir'
    wait_until test -p 'a dir/commands'
    echo 'submit 60 echo alone >>done' >'a dir/commands'
    wait_for 'a dir/done' # now there is no writer
    writers=()
    for writer in {1..4}; do
        for i in {1..25}; do
            echo "submit 60 echo $writer.$i >>done" >'a dir/commands'
        done 3>&- &
        writers+=($!)
    done
    started+=("${writers[@]}")
    wait_until all_have_run
    echo quit >'a dir/commands'
    wait_until ended "$recipe_pid"
    diff <(sort 'a dir/done') <(printf '%s\n' {1..4}.{1..25} alone | sort)
    (($(grep -cx 'Job [0-9]* Waiting' 'a dir/replies') == 101))
    [ -p 'a dir/commands' ] # for the next time
    [ ! -s 'a dir/log' ]
    [ ! -s recipe.err ]
}

@test "recipes: fifo.sh, when it is ended, ends its server" {
    for signal in TERM HUP; do
        mkdir $signal
        in_background fifo.sh $signal
        wait_until test -p $signal/commands
        printf '%s\n' 'submit 60 echo $$ >job; exec sleep 1000' 'submit 60 echo $$ >other; exec sleep 1000' \
            'submit 60 touch third' >$signal/commands
        wait_until test -s $signal/job
        wait_until test -s $signal/other
        kill -$signal "$recipe_pid"
        wait_until ended "$recipe_pid"
        ended "$(<$signal/job)"
        ended "$(<$signal/other)"
        [ ! -e $signal/third ]
    done
}

all_have_run() {
    (($(wc -l <'a dir/done') == 101))
}

@test "recipes: gpu.sh never has two jobs on the same GPU" {
    # Holds its GPU until each of the three has been in use.
    program segment 'mkdir "gpu$CUDA_VISIBLE_DEVICES" || exit 9; echo "$1" >>"names$CUDA_VISIBLE_DEVICES"' \
        'until [ -s names0 ] && [ -s names1 ] && [ -s names2 ]; do sleep 0.01; done' \
        'rmdir "gpu$CUDA_VISIBLE_DEVICES"'
    GPUS=3 run -0 recipe gpu.sh 60 ./segment {} < <(seq 30)
    diff <(sort -n names[0-2]) <(seq 30)
}

@test "recipes: nightly.sh goes on after a crash, never runs twice at a time, and tells only of failures" {
    needs flock
    mkdir bin
    program bin/date 'echo 2026-01-31' # it must not become midnight
    PATH=$PWD/bin:$PATH
    printf 'run any 60 %s\n' 'echo 1 >>ran' 'echo 2 >>ran; until [ -e open ]; do sleep 0.05; done' >./batch
    in_background nightly.sh .
    wait_for ran 2
    wait_for 2026-01-31.log '.*Done.*echo 1.*'
    run -1 recipe nightly.sh .
    [[ $output == 'nightly: another batch is still running in '* ]]
    server_pid=$(children_of "$recipe_pid")
    server_pid=${server_pid% }
    started+=("$server_pid")
    kill -KILL "$recipe_pid"
    wait_until ended "$recipe_pid"
    run -1 recipe nightly.sh .
    [[ $output == 'nightly: another batch is still running in '* ]]
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"

    echo >open
    run -0 recipe nightly.sh .
    [ -z "$output" ]
    [ "$(sort ran | paste -sd ' ')" = '1 2 2' ]
    echo 'run any 60 echo sorry; exit 7' >>./batch
    run -4 recipe nightly.sh .
    [[ $output == 'nightly: 1 of 3 jobs failed on 2026-01-31:'*'Done exit 7 after '*': echo sorry; exit 7'* ]]
    grep -qx sorry 2026-01-31/*.out
    [ "$(sort ran | paste -sd ' ')" = '1 2 2' ]
}

@test "recipes: nightly.sh and fifo.sh find a server that is named from where they are called" {
    needs flock
    make_patient
    mkdir there
    echo 'run any 60 true' >there/batch
    SERVER=./patient run -0 timeout --foreground 120 "$RECIPES/nightly.sh" there 3>&-
    SERVER=./nobody run -1 timeout --foreground 120 "$RECIPES/nightly.sh" there 3>&-
    [ "$output" = 'nightly: there is no ./nobody' ]
    SERVER=./patient "$RECIPES/fifo.sh" there >recipe.out 2>recipe.err 3>&- &
    recipe_pid=$!
    started+=("$recipe_pid")
    wait_until test -p there/commands
    echo quit >there/commands
    wait_until ended "$recipe_pid"
    [ ! -s there/log ]
    SERVER=./nobody run -1 timeout --foreground 120 "$RECIPES/fifo.sh" there 3>&-
    [ "$output" = 'fifo: there is no ./nobody' ]
}

# own_tests PROGRAM [FILTER]: runs own-tests.bats as its user would, not as a part of this test.
own_tests() {
    env -i "PATH=$PATH" "TMPDIR=$PWD" "PROGRAM=./$1" "SERVER=$SERVER" \
        timeout --foreground 120 "$BATS_ROOT/bin/bats" --formatter tap --filter "${2-.}" "$RECIPES/own-tests.bats" 3>&-
}

@test "recipes: own-tests.bats passes for a good program, and fails for bad ones" {
    program good 'echo "as always"'
    run -0 own_tests good
    program leaving 'sleep 1000 </dev/null >/dev/null 2>&1 &'
    run -1 own_tests leaving process
    program littering 'echo >litter'
    run -1 own_tests littering file
    program changing 'echo "this is $TAXI_JOB"'
    run -1 own_tests changing same
    program failing '((TAXI_JOB != 30))'
    run -1 own_tests failing process
}

@test "recipes: rlwrap.sh completes a command, and has a history that lasts" {
    needs rlwrap
    export HOME=$PWD TERM=vt100
    for typed in 'get_dri\t\n' '\020\020\n'; do # Tab; Ctrl+P twice, for the line before quit
        start_terminal "stty rows 24 cols 80; SERVER='$SERVER' exec '$RECIPES/rlwrap.sh'"
        shows '> $'
        keys "$typed"
        shows '^0 drivers'
        keys 'quit\n'
        terminal_ends 0
        exec {to}>&-
        rm keys
    done
}

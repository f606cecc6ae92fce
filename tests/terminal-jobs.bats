#!/usr/bin/env bats
# Jobs of a server at a terminal: they neither read nor change it, and what they write is shown there.

load lib/helpers
load lib/looks

# Starts a server at a terminal, with a control socket and one driver, and sets driver to its pid.
start_with_driver() {
    start_server_at_terminal "${PATIENT[*]} --listen taxi.sock --drivers 1 $*"
    find_driver
}

find_driver() {
    wait_until has_children 1
    driver=$(children_of "$server_pid")
    driver=${driver% }
}

# start_with_fifo OPTION...: a server at a terminal whose commands come from the FIFO in, so that
# there is no prompt.
start_with_fifo() {
    mkfifo in
    start_terminal "exec '$SERVER' ${PATIENT[*]} --listen taxi.sock --drivers 1 $* <in"
    exec {feed}>in
    wait_until find_server
    started+=("$server_pid")
    find_driver
}

# shown: prints what the screen shows, with the terminal's line ends.
shown() {
    tr '\r' '^' <screen
}

screen_ends() {
    [[ $(shown) == *"$1" ]]
}

# The modes of the server's terminal.
modes() {
    stty -F "$(readlink "/proc/$server_pid/fd/0")" -g
}

# The driver's job waits in a write, and so does the server, which nothing wakes.
stands_still() {
    local before
    job=$(children_of "$driver")
    job=${job% }
    before=$(switches "$server_pid")
    [[ -n $job ]] && in_state "$server_pid" S && is_blocked &&
        [[ $(switches "$server_pid") == "$before" ]]
}

is_blocked() {
    local before
    before=$(switches "$job")
    in_state "$job" S && pause && [[ $(switches "$job") == "$before" ]]
}

@test "terminal: a job has no descriptor of it, cannot open /dev/tty, and its driver has none either" {
    start_with_driver
    keys 'run any 100 readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >&2; ls /proc/self/fd; : </dev/tty\n'
    shows 'Done exit [12]'
    [[ $(shown) =~ $'\n/dev/null^\n'(pipe:[^^]+)$'^\n'(pipe:[^^]+)$'^\n0^\n1^\n2^\n3^\n' ]] # 3 is the directory
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    [ "$(readlink "/proc/$driver/fd/2")" = "${BASH_REMATCH[1]}" ]
    shows '/dev/tty: No such device or address'
    run ! grep -q /dev/pts <(readlink "/proc/$driver/fd/"*)
}

@test "terminal: what is typed goes to the server, also if a job reads its standard error" {
    mkfifo gate
    start_with_driver
    keys 'run any 100 head -n 4 <&2 >eaten; read x <gate\n'
    wait_until test -e eaten
    keys 'get_drivers\nget_drivers\nget_drivers\nget_drivers\n'
    open_gate
    shows 'Done exit 0'
    # shellcheck disable=SC2317 # called by wait_until
    answered() { [ "$(grep -c '^1 driver' screen)" = 4 ]; }
    wait_until answered
    [ ! -s eaten ]
}

@test "terminal: a job cannot change its modes" {
    start_with_driver
    before=$(modes)
    keys 'run any 100 stty raw -echo <&2; stty raw -echo <&1; stty -F /dev/tty raw -echo\n'
    shows 'Done exit 1'
    [ "$(modes)" = "$before" ]
}

@test "terminal: the output of a job replaces the prompt, is shown once, and the prompt comes back" {
    start_with_driver
    screen_ends $'> '
    control run any 100 'echo one; echo two >&2'
    wait_until screen_ends $'> ^  ^one^\ntwo^\n> '
    control run any 100 'printf three >&2'
    wait_until screen_ends $'two^\n> ^  ^three^\n> '
    kill -USR1 "$server_pid"
    shows $'three\r$'
    shows $'^> \rserver: Stats'
}

@test "terminal: a line that a job writes in pieces is not torn by the prompt" {
    local try=0
    start_with_driver
    # The job writes the second piece when the first is shown. On a loaded machine that may take too
    # long, but not each time.
    is_whole() {
        try=$((try + 1))
        control run any 100 "printf $try; until grep -q $try screen; do :; done; echo -$try"
        grep -q "$try-$try" screen
    }
    wait_until is_whole
}

@test "terminal: a log line and a reply begin a line of their own after the output of a job" {
    mkfifo gate
    start_with_fifo
    echo 'run any 100 printf one; read x <gate; printf two' >&"$feed"
    shows 'one$'
    kill -USR1 "$server_pid"
    shows $'^server: Stats'
    kill -USR1 "$server_pid"
    two_stats() { (($(grep -ac '^server: Stats' screen) == 2)); }
    wait_until two_stats
    open_gate
    shows 'Done exit 0'
    [[ $(shown) != *$'\n^\n'* ]] || fail "an empty line: $(shown)"
    [[ $(shown) == *$'one^\nserver: Stats'*$'^\ntwo^\n'*$' Done exit 0^' ]]
}

# The driver's socket has something to read before the pipe has, so the loop sees it first.
@test "terminal: what a job has written is shown before its end, also to a server that is slow" {
    text=$(printf '%06000d' 0) # more than one copy takes, and less than a terminal that nobody reads
    puppet says hello take:5 did:asked await:go state:2:0:1000 write:"$text" result:3:9 did:ended pause
    start_with_fifo --driver ./says
    echo 'run any 50 x' >&"$feed"
    wait_until test -e asked
    kill -STOP "$server_pid"
    wait_until in_state "$terminal_pid" T # script(1) stops with its child, and continues it
    : >go
    wait_until test -e ended
    kill -CONT "$terminal_pid"
    wait_until screen_ends $'Job 1 Done exit 9^' || fail "$(shown)"
    [[ $(shown) == "$text"$'^\nserver: job 1 Done exit 9 after '*$': x^\nJob 1 Done exit 9^' ]] || fail "$(shown)"
}

@test "terminal: O_NONBLOCK, which a job sets on its standard error and leaves set, is that job's alone" {
    start_with_driver
    run -137 control run any 100 'perl -MFcntl -e "fcntl STDERR, F_SETFL, O_NONBLOCK or die; kill KILL => getppid"; :'
    [ "$output" = 'Job 1 Done signal 9' ] || fail "$output"
    run -0 control run any 100 'sed -n "s/^flags:[[:space:]]*//p" /proc/self/fdinfo/1 /proc/self/fdinfo/2 >flags'
    mapfile -t flags <flags
    [ ${#flags[@]} = 2 ]
    (((0${flags[0]} & 04003) == 1 && (0${flags[1]} & 04003) == 1)) || fail "$(<flags)"
}

@test "terminal: a job that floods it keeps nobody from being answered" {
    start_with_driver
    keys 'run any 1000 yes\n'
    wait_until has_children_of "$driver" 1
    wait_until test -s screen
    for _ in {1..5}; do
        [[ $(control get_status "$driver") == "Driver $driver Busy "* ]]
    done
    control cancel_task "$driver"
    shows 'Done cancelled'
    wait_until screen_ends '> '
    keys 'get_drivers\n'
    shows '^1 driver'
}

@test "terminal: one that takes no more holds back jobs, but no client and no stop" {
    start_with_fifo -g 0.2
    kill -STOP "$terminal_pid" # script(1), which reads what the screen shows
    wait_until in_state "$terminal_pid" T
    echo 'run any 1000 yes' >&"$feed"
    wait_until stands_still
    [[ $(control get_status "$driver") == "Driver $driver Busy "* ]]
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
    wait_until ended "$driver"
}

@test "terminal: a slow one is shown all that jobs have written before the server ends" {
    mkfifo in
    start_terminal "exec '$SERVER' --grace 1000 --drivers 1 <in >replies"
    exec {feed}>in
    wait_until find_server
    started+=("$server_pid")
    find_driver
    kill -STOP "$terminal_pid"
    wait_until in_state "$terminal_pid" T
    # The pipe takes all of it, but the terminal, in which each line has a byte more, does not.
    echo 'run any 1000 seq 12000' >&"$feed"
    exec {feed}>&-
    wait_until gone "$driver"
    alive "$server_pid"
    kill -CONT "$terminal_pid"
    wait_until ended "$server_pid"
    wait_until ended "$terminal_pid"
    tr -d '\r' <screen | grep -x '[0-9]*' >numbers
    seq 12000 | cmp - numbers
}

@test "terminal: with stty tostop, a server in the background shows what its jobs write" {
    start_shell_at_terminal
    keys "stty tostop; '$SERVER' --listen taxi.sock --drivers 1 </dev/null &\n"
    wait_until find_server
    started+=("$server_pid")
    find_driver
    control run any 100 echo here
    shows $'here\r$'
    kill -USR1 "$server_pid"
    shows '^server: Stats'
    in_state "$server_pid" S
    kill -TERM "$server_pid"
    wait_until ended "$server_pid"
    keys 'exit\n'
}

@test "terminal: after the output of a job the server is at rest" {
    start_with_driver
    control run any 100 echo one
    wait_until screen_ends $'one^\n> '
    wait_until rests "$server_pid" rests "$driver"
}

@test "terminal: a standard error that is no terminal is given to drivers and jobs as it is" {
    start_terminal "exec '$SERVER' --listen taxi.sock --drivers 1 2>err"
    wait_until find_server
    started+=("$server_pid")
    find_driver
    [ "/proc/$driver/fd/2" -ef err ]
    control run any 100 'echo one; readlink /proc/self/fd/2 >two'
    [ "$(<err)" = one ]
    [ "$(<two)" = "$PWD/err" ]
}

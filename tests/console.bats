#!/usr/bin/env bats
# A console that has ended holds no pipe and no FIFO open, and a person at a terminal is told how to go
# on.

load lib/helpers

# no_reader FIFO: nobody has it open for reading, so that nobody can write to it in vain.
no_reader() {
    perl -MFcntl -MErrno -e 'exit(sysopen(my $f, $ARGV[0], O_WRONLY | O_NONBLOCK) || !$!{ENXIO})' "$1"
}

# The replies are at their end: nobody has the FIFO out open for writing.
replies_end() {
    local status=0
    IFS= read -r -t "$DEADLINE" -u "$from" line || status=$?
    ((status == 1)) || fail "status $status, not the end: $line"
}

# are_null PID FD...: these descriptors are /dev/null.
are_null() {
    local fd
    for fd in "${@:2}"; do
        [[ /proc/$1/fd/$fd -ef /dev/null ]] || return
    done
}

@test "console: after the end of its input, neither the server nor a driver holds its FIFOs" {
    start_listening
    create
    say "run $pid 100 sleep 1000"
    wait_until has_children_of "$pid" 1
    end_input
    wait_until no_reader in
    are_null "$server_pid" 0
    control cancel_task "$pid"
    expect 'Job 1 Done cancelled'
    replies_end
    are_null "$server_pid" 0 1
    control get_drivers
    [ "$(control get_status "$pid")" = "Driver $pid Available" ]
    wait_until rests "$server_pid"
    [ ! -s err ]
    control shutdown
    server_ends 0
}

@test "console: after quit, a writer to its FIFO gets an error instead of hanging" {
    start_listening
    say quit
    yes get_drivers >&"$to" 2>/dev/null 3>&- &
    started+=("$!")
    wait_until ended "$!"
    no_reader in
    replies_end
    are_null "$server_pid" 0 1
    [ "$(control get_drivers)" = '0 drivers' ]
}

@test "console: after quit, a server without --listen lets go of its FIFO while it waits for a job" {
    mkfifo gate
    start_server
    create
    busy_with "$pid"
    say quit
    wait_until no_reader in
    open_gate
    expect 'Job 1 Done exit 0'
    server_ends 0
}

@test "console: if its output fails, it lets go of its input, too, and the server goes on" {
    start_listening
    exec {from}<&-
    from=
    say get_drivers
    wait_until no_reader in
    wait_until are_null "$server_pid" 0 1
    [ "$(cat err)" = 'server: cannot write standard output: Broken pipe' ]
    [ "$(control get_drivers)" = '0 drivers' ]
}

@test "console: an input that cannot be read is not held open either" {
    mkfifo wrong
    cat wrong >nothing 3>&- &
    started+=("$!")
    "$SERVER" --listen taxi.sock 0>wrong >out 2>err 3>&- &
    server_pid=$!
    started+=("$server_pid")
    wait_until ended "${started[0]}"
    wait_until are_null "$server_pid" 0 1
    [ "$(cat err)" = 'server: cannot read standard input: Bad file descriptor' ]
}

@test "console: after its end, a half line is still run and a job goes on; its output ends after the last reply" {
    mkfifo gate
    start_listening --drivers 1
    say 'run any 100 read x <gate'
    printf get_drivers >&"$to"
    end_input
    wait_until no_reader in
    are_null "$server_pid" 0
    run ! are_null "$server_pid" 1
    open_gate
    expect 'Job 1 Done exit 0' 'Driver *' '1 driver'
    replies_end
}

@test "console: a client that reads no more commands lets go of its FIFO" {
    mkfifo gate words
    start_listening --drivers 1
    attach one
    tell one 'run any 100 read x <gate'
    detach one
    wait_until no_reader one.in
    alive "${client_pid[one]}"
    open_gate
    hear one 'Job 1 Done exit 0'
    client_ends one 0

    exec {both}<>words
    "$SERVER" --connect taxi.sock run any 100 'read x <gate' <words >replies 2>&1 3>&- {both}>&- &
    client_pid[two]=$!
    started+=("$!")
    exec {both}>&-
    wait_until no_reader words
    alive "${client_pid[two]}"
    wait_until has_children_of "$(children_of "$server_pid" | tr -d ' ')" 1
    open_gate
    client_ends two 0
    [ "$(cat replies)" = 'Job 2 Done exit 0' ]
}

# ---- at a terminal

# screen_ends TEXT: what the screen shows ends like this, with ^ for the carriage return before each
# newline.
screen_ends() {
    [[ $(tr '\r' '^' <screen; echo .) == *"$1." ]]
}

# starts_job COMMAND: it is typed at the prompt, and the job has begun.
starts_job() {
    keys "run any 100 $1\n"
    wait_until has_children_of "$driver" 1
}

# start_with_drivers COUNT OPTION...: a server at a terminal; sets drivers, and driver to the first.
start_with_drivers() {
    start_server_at_terminal "${PATIENT[*]} --drivers $*"
    wait_until has_children "$1"
    read -ra drivers <<<"$(children_of "$server_pid")"
    driver=${drivers[0]}
}

ENDED='server: the console has ended; go on with --connect taxi.sock, stop the server with Ctrl+C'

@test "console: Ctrl+D with --listen says that it has ended and how to go on" {
    start_server_at_terminal --listen taxi.sock
    keys '\004'
    wait_until screen_ends $'> ^\n'"$ENDED"$'^\n'
    wait_until are_null "$server_pid" 0 1
    [ "$(control get_drivers)" = '0 drivers' ]
    kill -USR1 "$server_pid"
    shows '^server: Stats.*clients=0'
    kill -CONT "$server_pid"
    wait_until rests "$server_pid" has_read_signals "$server_pid"
    prompts 1
    keys '\003'
    terminal_ends 0
}

@test "console: quit with --listen says so, too; Ctrl+Z and fg still work" {
    start_shell_at_terminal
    keys "'$SERVER' --listen taxi.sock\n"
    wait_until find_server
    started+=("$server_pid")
    shows '> '
    keys 'quit\n'
    wait_until screen_ends "$ENDED"$'^\n'
    keys '\032'
    shows 'Stopped'
    keys 'fg\n'
    wait_until in_state "$server_pid" S
    [ "$(control get_drivers)" = '0 drivers' ]
    run ! grep -q 'cannot read' screen
    keys '\003'
    shows 'ready: $'
    keys 'exit $?\n'
    terminal_ends 0
}

@test "console: Ctrl+D while a job runs says what the server waits for" {
    mkfifo gate
    start_with_drivers 1
    starts_job 'read x <gate'
    keys '\004'
    shows '^server: waiting for 1 job; Ctrl\+C cancels it'
    open_gate
    shows '^Job 1 Done exit 0'
    terminal_ends 0
}

@test "console: Ctrl+D while a submitted job runs says so, too" {
    mkfifo gate
    start_with_drivers 1
    keys 'submit 100 read x <gate\n'
    wait_until has_children_of "$driver" 1
    keys '\004'
    shows '^server: waiting for 1 job; Ctrl\+C cancels it'
    open_gate
    terminal_ends 0
}

@test "console: Ctrl+D while jobs run, and then Ctrl+C, which cancels them" {
    start_with_drivers 2
    keys 'run any 100 sleep 1000\nrun any 100 sleep 1000\n'
    all_run() { has_children_of "${drivers[0]}" 1 && has_children_of "${drivers[1]}" 1; }
    wait_until all_run
    keys '\004'
    shows '^server: waiting for 2 jobs; Ctrl\+C cancels them'
    keys '\003'
    shows '^server: 2 jobs cancelled'
    terminal_ends 0
}

@test "console: without jobs, Ctrl+D ends the server without a word" {
    start_with_drivers 1
    keys '\004'
    terminal_ends 0
    screen_ends $'> ^\n'
}

@test "console: Ctrl+D at a client that awaits replies says so" {
    mkfifo gate
    start_listening --drivers 1
    to=
    start_terminal "exec '$SERVER' --connect taxi.sock"
    wait_until prompts 1
    keys 'run any 100 read x <gate\n'
    driver=$(children_of "$server_pid")
    wait_until has_children_of "${driver% }" 1
    keys '\004'
    shows '^server: waiting for the last replies; Ctrl\+C ends the client, and jobs go on'
    open_gate
    shows '^Job 1 Done exit 0'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
}

@test "console: Ctrl+R shows again what was typed before a log line came" {
    start_server_at_terminal
    keys 'get_dri'
    shows '> get_dri$'
    kill -USR1 "$server_pid"
    wait_until prompts 2
    keys '\022'
    wait_until screen_ends $'> ^R^\nget_dri'
    keys 'vers\n'
    shows '^0 drivers'
    prompts 3
}

@test "console: while a job runs, cancel_task at the same prompt cancels it, and is answered after it" {
    start_with_drivers 1
    starts_job 'sleep 1000'
    keys "cancel_task $driver\n"
    shows "^Driver $driver Available"
    grep -q '^Job 1 Done cancelled' screen
}

@test "console: while a prompt waits for a job, a second terminal asks for it and cancels it" {
    start_with_drivers 1 --listen taxi.sock
    starts_job 'sleep 1000'
    keys 'get_drivers\n'
    [[ $(control get_status "$driver") == "Driver $driver Busy "* ]]
    run ! grep -q '^1 driver' screen
    control cancel_task "$driver"
    shows '^Job 1 Done cancelled'
    shows '^1 driver'
}

#!/usr/bin/env bats
# A person at a terminal. script(1) makes the terminal; what it shows goes to the file screen.

load lib/helpers

@test "prompt: shown only where stdin and stdout are terminals" {
    start_server_at_terminal
    keys 'get_drivers\n'
    shows '^0 drivers'
    wait_until prompts 2
    keys 'quit\n'
    terminal_ends 0
    rm keys
    start_terminal "'$SERVER' | cat"
    keys 'get_drivers\n'
    shows '^0 drivers'
    keys 'quit\n'
    wait_until ended "$terminal_pid"
    prompts 0
    run ! grep -q 'taxi-server' screen
}

@test "greeting: one line before the first prompt says how to get help; a client has none" {
    start_server_at_terminal --listen taxi.sock
    [ "$(cat screen)" = $'taxi-server: help lists the commands\r\n> ' ]
    keys 'get_drivers\n'
    wait_until prompts 2
    [ "$(grep -c 'taxi-server' screen)" = 1 ]
    start_terminal_of_client
    wait_until prompts 1
    [ "$(cat screen)" = '> ' ]
}

# Puts the server's terminal or FIFO aside, and starts a client at another one.
start_terminal_of_client() {
    client_to[server]=$to # teardown closes it
    rm -f keys screen
    start_terminal "exec '$SERVER' --connect taxi.sock"
}

# TERM ends the client at the terminal, which does not wait for signals now.
takes_term() {
    (((0x$(status_field "$server_pid" SigBlk) & 1 << 14) == 0))
}

@test "Ctrl+S: TERM ends a client that waits for the terminal to take its message" {
    start_listening --drivers 1
    start_terminal_of_client
    wait_until prompts 1
    find_server
    keys 'run any 50 sleep 1000\n'
    runs() { control get_jobs | grep -q Running; }
    wait_until runs
    run ! takes_term
    keys '\023\004' # the input ends, and the client says what it waits for
    wait_until takes_term
    kill -TERM "$server_pid"
    terminal_ends 143
    run ! grep -q waiting screen
}

@test "Ctrl+S: TERM ends a client that waits for the terminal to take its last words" {
    start_listening --drivers 1
    run -0 control pause
    listening=$server_pid
    start_terminal_of_client
    wait_until prompts 1
    find_server
    keys '\023run any 50 true\n' # the reply does not come
    waits() { control get_jobs | grep -q Waiting; }
    wait_until waits
    kill -KILL "$listening"
    wait_until takes_term
    kill -TERM "$server_pid"
    terminal_ends 143
}

@test "prompt: shown again after an empty line" {
    start_server_at_terminal
    keys '\n\n'
    wait_until prompts 3
}

@test "prompt: not shown in the middle of a line" {
    start_server_at_terminal
    keys 'get_\004'
    keys 'drivers\n'
    shows '^0 drivers'
    wait_until prompts 2
    run ! grep -q 'get_.*>' screen
}

@test "prompt: a log line replaces it, and it is shown again below" {
    start_server_at_terminal
    kill -USR1 "$server_pid"
    shows $'> \r''server: Stats .*'
    wait_until prompts 2
}

@test "Ctrl+C: stops the server with status 0 as kill -INT does, and no driver is left" {
    start_server_at_terminal
    keys 'create_driver 2\n'
    shows '^2 drivers'
    children=$(children_of "$server_pid")
    keys '\003'
    terminal_ends 0
    [[ $(tail -c 2 screen) == $'\r' ]] # the shell's prompt begins a line
    for child in $children; do
        gone "$child"
    done
}

@test "Ctrl+\\: kills the drivers at once; status 0" {
    start_server_at_terminal -g 1000
    keys 'create_driver\n'
    shows '^Driver'
    kill -STOP "$(children_of "$server_pid")"
    keys '\034'
    terminal_ends 0
}

@test "Ctrl+D: ends the input; a line typed before it counts" {
    start_server_at_terminal
    keys 'get_drivers\004\004'
    shows '0 drivers'
    terminal_ends 0
}

@test "stop: one that lasts tells a person at the terminal what it waits for" {
    start_server_at_terminal -g 1000
    keys 'create_driver 2\n'
    shows '^2 drivers'
    for driver in $(children_of "$server_pid"); do
        stop_process "$driver"
    done
    keys '\003'
    shows 'server: stopping; waiting for 2 drivers; Ctrl\+C kills them'
    keys '\003'
    terminal_ends 0
}

@test "Ctrl+Z and fg: stop and continue the server as the shell's job; a task keeps its time" {
    start_shell_at_terminal
    keys "'$SERVER' -v\n"
    wait_until prompts 1
    keys 'create_driver\n'
    shows '^Driver [0-9]+ Available'
    pid=$(sed -n 's/.*Driver \([0-9]*\) Available.*/\1/p' screen)
    keys "send_task $pid 0.2\n"
    shows "Driver $pid Busy 1"
    keys '\032'
    shows 'Stopped'
    # The driver is in none of the terminal's process groups, so its task ends while the server is
    # stopped.
    in_state "$pid" S
    keys 'fg\n'
    shows 'task done'
    keys "get_status $pid\n"
    shows "Driver $pid Available"
    keys 'quit\n'
    shows 'ready: $'
    keys 'exit $?\n'
    terminal_ends 0
}

@test "Ctrl+Z and kill: end the server, though it is stopped in the background" {
    start_shell_at_terminal
    keys "$SERVER\n"
    wait_until prompts 1
    keys '\032'
    shows 'Stopped'
    wait_until find_server
    keys 'kill %%1\n'
    wait_until ended "$server_pid"
    keys '/bin/true; wait; exit\n' # bash sometimes overlooks the end of a job until another one ends
    terminal_ends 0
}

@test "./server &: in an interactive shell, it stops as a job when it would read; fg continues it" {
    start_shell_at_terminal
    keys "'$SERVER' &\n"
    shows '\[1\] [0-9]+'
    wait_until stopped 1
    keys 'bg\n'
    wait_until stopped 2
    keys 'fg\n'
    shows '> '
    keys 'get_drivers\n'
    shows '^0 drivers'
    keys '\003'
    shows 'ready: $'
    keys 'exit $?\n'
    terminal_ends 0
}

# stopped TIMES: the shell, which reports such things before a prompt, has reported that many times
# that the server stopped.
stopped() {
    keys '\n'
    pause
    [ "$(grep -c 'Stopped' screen)" -ge "$1" ]
}

@test "background of a terminal: if no shell could continue the server, its input ends" {
    mkfifo never
    # The process group is orphaned: its parent, a shell with job control, ends before the server
    # begins.
    start_terminal "bash --norc -c 'set -m
        (while kill -0 \$\$; do :; done 2>/dev/null
         \"$SERVER\" </dev/tty; echo \"status \$?\" >status) & disown; exit'
        read -r -t $DEADLINE _ <>never"
    wait_until test -s status
    [ "$(<status)" = 'status 0' ]
}

@test "nohup: a hangup leaves the server alone" {
    mkfifo in
    start_terminal "trap '' HUP; exec '$SERVER' <in >out 2>err"
    exec {feed}>in
    echo create_driver >&"$feed"
    wait_until grep -q Available out
    wait_until find_server
    started+=("$server_pid")
    kill -KILL "$terminal_pid"
    echo get_drivers >&"$feed"
    wait_until grep -q '^1 driver' out
    exec {feed}>&-
    wait_until ended "$server_pid"
}

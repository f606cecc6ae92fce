#!/usr/bin/env bats
# A person types more than the server takes at once, or closes the terminal's window.

load lib/helpers

# long_line SIZE: a get_drivers of that many bytes, without its newline.
long_line() {
    printf "get_drivers%$(($1 - 12))sx" ''
}

# shows_times COUNT PATTERN: that many lines of the screen have shown that.
shows_times() {
    [ "$(grep -cae "$2" screen)" = "$1" ]
}

# A terminal keeps 4095 bytes of a line, whatever was typed.
@test "typing: a line that the terminal has cut is refused, not run; a shorter one is run" {
    start_server_at_terminal
    keys "$(long_line 5000)\\n"
    shows '^Error: line too long \(limit 4095 bytes\)'
    keys "$(long_line 4095)\\n"
    wait_until shows_times 2 '^Error: line too long'
    keys "$(printf '%4083s' '')get_drivers\\n"
    shows '^0 drivers'
    shows_times 2 '^Error'
}

@test "typing: a line that the terminal has cut is refused at a client's prompt, too" {
    start_listening
    start_terminal "exec '$SERVER' --connect taxi.sock"
    wait_until prompts 1
    keys "$(long_line 5000)\\n"
    shows '^Error: line too long \(limit 4096 bytes\)'
    keys "$(long_line 4095)\\n"
    wait_until shows_times 2 '^Error: line too long'
    keys "$(printf '%4083s' '')get_drivers\\n"
    shows '^0 drivers'
    shows_times 2 '^Error'
    keys "$(long_line 5000)\\004\\004"
    wait_until shows_times 3 'Error: line too long'
    terminal_ends 1
}

# paste BYTES: that much is typed while a wait holds back what follows it; a terminal's own buffer
# has 4 KiB.
paste() {
    keys 'create_driver\nsend_task any 1000\nwait\n'
    shows 'Busy 1000'
    yes '# what is typed while the server waits, and not run before it waits no more' |
        head -c "$1" >&"$to"
    keys '\n'
}

@test "typing: after a paste of 8 KiB while a command waits, Ctrl+C stops the server" {
    start_server_at_terminal
    paste 8192
    keys 'get_drivers\nget_drivers\n\003'
    terminal_ends 0
    shows_times 1 'Error: server is stopping' # of the wait, not of what was typed ahead
    shows 'server: 1 task cancelled'
}

@test "typing: after such a paste Ctrl+\\ stops the server at once" {
    start_server_at_terminal -g 1000
    paste 8192
    driver=$(children_of "$server_pid")
    stop_process "${driver% }"
    keys '\034'
    terminal_ends 0
}

@test "typing: after such a paste Ctrl+Z and fg stop and continue the server" {
    start_shell_at_terminal
    keys "'$SERVER'\n"
    wait_until find_server
    started+=("$server_pid")
    shows '> '
    paste 8192
    keys '\032'
    shows 'Stopped'
    keys 'fg\n'
    wait_until in_state "$server_pid" S
    keys '\003'
    shows 'ready: $'
    keys 'exit\n'
    terminal_ends 0
}

@test "typing: after such a paste Ctrl+D says what the server waits for" {
    start_server_at_terminal --listen taxi.sock
    paste 8192
    keys 'get_drivers\n\004'
    shows 'server: the console has ended'
    read -ra drivers <<<"$(children_of "$server_pid")"
    control cancel_task "${drivers[0]}"
    wait_until shows_times 2 '1 driver'
    keys '\003'
    terminal_ends 0
}

@test "typing: Ctrl+D while a wait lasts says that replies are awaited" {
    start_server_at_terminal
    keys 'create_driver\nsend_task any 1000\nwait\n\004'
    shows '^server: waiting for the last replies; Ctrl\+C stops the server'
    keys '\003'
    terminal_ends 0
}

@test "typing: a paste of more than the server keeps waits in the terminal, and nothing spins or is lost" {
    start_server_at_terminal --listen taxi.sock
    paste 100000
    wait_until rests "$server_pid"
    (($(status_field "$server_pid" VmRSS | cut -d' ' -f1) < MEMORY_MAX_KB))
    keys 'get_drivers\n'
    read -ra drivers <<<"$(children_of "$server_pid")"
    control cancel_task "${drivers[0]}"
    wait_until shows_times 2 '1 driver'
    run ! grep -q Error screen
    keys '\003'
    terminal_ends 0
}

# ---- the window is closed

# start_window COMMAND: starts a server at a terminal, in a shell that outlives it and writes its exit
# status to the file status. Waits for its first driver, and sets driver to that.
start_window() {
    start_terminal "trap : HUP; $* ${PATIENT[*]} --drivers 1 2>err; echo \$? >status"
    wait_until find_server
    started+=("$server_pid")
    wait_until has_children 1
    driver=$(children_of "$server_pid")
    driver=${driver% }
}

close_window() {
    kill -KILL "$terminal_pid" # script(1) holds the other side of the terminal
}

@test "hangup: a reply that is owed when the window is closed is no failure" {
    start_window "'$SERVER'"
    keys 'run any 1000 sleep 1000\n'
    wait_until has_children_of "$driver" 1
    close_window
    kill -HUP "$server_pid" # as the terminal's shell does
    wait_until test -s status
    [ "$(<status)" = 0 ]
    [ "$(<err)" = 'server: 1 job cancelled' ]
}

@test "hangup: jobs that a batch has given fail it, if only its output was the window" {
    mkfifo feed
    exec {feed}<>feed
    start_window "'$SERVER' <feed"
    echo 'run any 1000 sleep 1000' >&"$feed"
    wait_until has_children_of "$driver" 1
    close_window
    kill -HUP "$server_pid"
    wait_until test -s status
    exec {feed}>&-
    [ "$(<status)" = 4 ]
    [ "$(<err)" = 'server: 1 job cancelled' ]
}

# start_apart OPTION...: the same in a session of its own, which no signal tells that the terminal is
# gone.
start_apart() {
    start_window "setsid -w '$SERVER' $*"
    wait_until prompts 1
}

@test "hangup: without SIGHUP a reply that cannot be written stops the server, with status 0" {
    mkfifo gate
    start_apart
    keys 'run any 1000 read x <gate\n'
    wait_until has_children_of "$driver" 1
    close_window
    open_gate
    wait_until test -s status
    [ "$(<status)" = 0 ]
    [ ! -s err ]
}

@test "hangup: without SIGHUP half a line is not run, and is no failure" {
    start_apart
    keys 'run any 1000 touch half\004'
    shows 'touch half'
    wait_until rests "$server_pid"
    close_window
    wait_until test -s status
    [ "$(<status)" = 0 ]
    [ ! -s err ]
    [ ! -e half ]
}

@test "hangup: without SIGHUP half a line of a client is not run either" {
    start_listening --drivers 1
    start_terminal "trap : HUP; setsid -w '$SERVER' --connect taxi.sock; echo \$? >status"
    shows '> $'
    wait_until find_server # the client
    keys 'run any 1000 touch half\004'
    shows 'touch half'
    wait_until rests "$server_pid"
    close_window
    wait_until test -s status
    [ ! -e half ]
    [ "$(<status)" = 0 ]
}

@test "hangup: with --listen a reply that cannot be written ends only the console" {
    mkfifo gate
    start_apart --listen taxi.sock
    keys 'run any 1000 read x <gate\n'
    wait_until has_children_of "$driver" 1
    close_window
    open_gate
    [ "$(control wait)" = '1 driver' ]
    kill -HUP "$server_pid"
    wait_until test -s status
    [ "$(<status)" = 0 ]
    [ ! -s err ]
}

@test "hangup: with --listen jobs go on, and what they write to the terminal that is gone is dropped" {
    start_terminal "trap : HUP; setsid -w '$SERVER' ${PATIENT[*]} --drivers 1 --listen taxi.sock; echo \$? >status"
    wait_until find_server
    started+=("$server_pid")
    wait_until prompts 1
    close_window
    run -0 control run any 50 'head -c 200000 /dev/zero >&2' # more than a pipe holds
    [ "$output" = 'Job 1 Done exit 0' ]
    wait_until rests "$server_pid"
    kill -TERM "$server_pid"
    wait_until test -s status
    [ "$(<status)" = 0 ]
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

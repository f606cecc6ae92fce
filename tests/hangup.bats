#!/usr/bin/env bats
# A person closes the terminal's window.

load lib/helpers

@test "hangup: ends the server and its drivers" {
    start_server_at_terminal
    keys 'create_driver\n'
    shows '^Driver'
    child=$(children_of "$server_pid")
    kill -KILL "$terminal_pid" # script(1) holds the other side of the terminal
    wait_until ended "$server_pid"
    wait_until ended "$child"
}

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

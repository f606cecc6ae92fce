#!/usr/bin/env bats
# What clients get when the server stops.

load lib/helpers

@test "stop: each client gets all its replies or Errors, and is told that the connection ended" {
    start_listening -g 0.2
    create
    stop_process "$pid"
    attach asks
    attach waits
    tell asks "get_status $pid" fly
    tell waits "send_task any 5" fly "send_task any 5"
    wait_until took 7
    kill -TERM "$server_pid"
    hear asks 'Error: server is stopping' "Error: unknown command 'fly' (try help)"
    hear waits 'Error: server is stopping' "Error: unknown command 'fly' (try help)" 'Error: server is stopping'
    client_ends asks 3
    client_ends waits 3
    [ "$(cat asks.err)" = 'server: the server at taxi.sock has ended the connection' ]
    server_ends 0
}

@test "stop: commands that were sent before it but not read yet are answered" {
    start_listening
    attach late
    wait_until has_clients 2
    stop_process "$server_pid"
    tell late get_drivers "get_status 5"
    detach late
    wait_until at_end_of_input "${client_pid[late]}"
    kill -TERM "$server_pid"
    kill -CONT "$server_pid"
    hear late 'Error: server is stopping' 'Error: server is stopping'
    client_ends late 1
    server_ends 0
}

# at_end_of_input PID: the client has sent all of its input; its epoll set no longer has descriptor
# 0.
at_end_of_input() {
    in_state "$1" S && ! grep -q '^tfd: *0 ' "/proc/$1/fdinfo/"* 2>/dev/null
}

@test "stop: clients whose connections are not accepted yet get their Errors, too" {
    start_listening
    stop_process "$server_pid"
    start_crowd
    crowd attach 150
    crowd say 1 150 1 fly
    kill -TERM "$server_pid"
    kill -CONT "$server_pid"
    crowd hear 1 150 1 'Error: server is stopping'
    server_ends 0
}

@test "stop: clients that read get all replies, also those that need their driver's end" {
    start_listening -g 3
    create
    stop_process "$pid"
    start_crowd
    crowd attach 4
    crowd say 1 4 3000 "get_status $pid"
    crowd say 1 4 1 fly
    wait_until has_clients 5
    kill -TERM "$server_pid"
    crowd hear 1 4 3000 'Error: server is stopping'
    crowd hear 1 4 1 'Error: *'
    crowd end 1 4
    server_ends 0
}

@test "stop: a client that has said quit, and more after it, gets its replies and a clean end" {
    start_listening
    create
    start_crowd
    crowd attach 1
    crowd say 1 1 1 "run $pid 100 sleep 1000"
    wait_until took 3
    crowd say 1 1 1 quit
    control stats >counters
    control stats >counters # by now, the server has handled the quit
    crowd say 1 1 1 more
    kill -TERM "$server_pid"
    crowd hear 1 1 1 'Job 1 Done cancelled'
    crowd end 1 1
    server_ends 0
}

@test "stop: does not wait for idle clients" {
    start_listening -g 100
    create
    attach idle
    wait_until has_clients 2
    kill -TERM "$server_pid"
    client_ends idle 3
    server_ends 0
}

@test "stop: clients get all replies even if a second signal hurries it" {
    start_listening
    create
    say "send_task $pid 100"
    expect '*'
    start_crowd
    crowd attach 1000
    crowd say 1 1000 50 wait
    wait_until has_clients 1001
    kill -TERM "$server_pid"
    kill -QUIT "$server_pid"
    crowd hear 1 1000 50 'Error: server is stopping'
    server_ends 0
}

@test "stop: commands that wait get an Error" {
    start_listening
    create
    say "send_task $pid 100"
    expect '*'
    for command in 'send_task any 1' wait "wait $pid"; do
        attach "${command%% *}${#command}"
        tell "${command%% *}${#command}" "$command"
    done
    wait_until took 6
    kill -TERM "$server_pid"
    for command in 'send_task any 1' wait "wait $pid"; do
        hear "${command%% *}${#command}" 'Error: server is stopping'
        client_ends "${command%% *}${#command}" 3
    done
    server_ends 0
}

#!/usr/bin/env bats
# Many clients of one server at once.

load lib/helpers

@test "clients: each client gets its own replies, in the order of its commands" {
    start_listening
    create
    for name in one two; do
        attach $name
    done
    for i in {1..300}; do
        tell one "get_status $pid" "one$i"
        tell two "two$i" "get_status $pid"
    done
    for i in {1..300}; do
        hear one "Driver $pid Available" "Error: unknown command 'one$i' (try help)"
        hear two "Error: unknown command 'two$i' (try help)" "Driver $pid Available"
    done
    say get_drivers
    expect "Driver $pid Available" '1 driver'
}

@test "clients: neither a client that ends or quits nor the end of stdin affects the others" {
    start_listening
    attach one
    attach two
    tell one get_drivers quit
    hear one '0 drivers'
    client_ends one 0
    end_input
    printf '%s\n' create_driver 'send_task any 100' >half
    printf 'get_driv' >>half
    run -0 "$LIB/exchange.pl" taxi.sock <half
    [[ $output == 'Driver '*$' Available\nDriver '*$' Busy 100\nError: unknown command \'get_driv\' (try help)' ]]
    tell two get_drivers
    hear two 'Driver * Busy @(100|9?)' '1 driver'
    attach three
    wait_until has_clients 2
    tell two shutdown
    client_ends two 0
    client_ends three 3 # since the server's end cut it off
    server_ends 0
    log_is 'server: 1 task cancelled' 'server: Stats *'
}

@test "clients: with a control socket, an unreadable standard input is only logged" {
    for stdin in '<&-' '>/dev/null 0>&1' '</'; do
        start bash -c "exec '$SERVER' --listen taxi.sock $stdin"
        wait_until control get_drivers
        [ "$(grep -c '^server: cannot read standard input: ' err)" = 1 ]
        kill -TERM "$server_pid"
        server_ends 0
        hang_up
    done
}

@test "clients: a client that goes leaves nothing queued for a stopped driver" {
    start_listening -t 0.05
    create
    stop_process "$pid"
    start_crowd
    crowd attach 1
    wait_until crowd_is_held_back "get_status $pid" # the driver takes no more
    crowd attach 100
    for i in {2..101}; do
        crowd say "$i" "$i" "$i" "get_status $pid"
        crowd close "$i" "$i"
    done
    crowd close 1 1
    wait_until has_clients 1
    kill -CONT "$pid"
    wait_until answers_again
}

@test "clients: a client that goes leaves nothing queued, also before its driver is known not to respond" {
    start_listening -t 100
    create
    stop_process "$pid"
    start_crowd
    crowd attach 101
    crowd say 1 1 100 "run $pid 5 $(printf '%04000d' 0)" # more than the driver's socket holds
    wait_until took 102
    crowd say 2 101 1 "get_status $pid"
    crowd close 2 101
    wait_until has_clients 2
}

@test "clients: without memory, clients are answered in turn, and the server sleeps in between" {
    start_faulty malloc:ENOMEM:8+ --listen taxi.sock
    say session
    expect '*'
    start_crowd
    crowd attach 25
    wait_until has_clients 26
    for some in '1 2' '3 5' '6 25'; do
        crowd say "$some" 2000 fly
        crowd hear "$some" 2000 'Error: unknown*'
        crowd close "$some"
    done
    wait_until in_state "$server_pid" S
    [ -s trace ]
}

@test "clients: if the console fails, that is logged once and the others go on" {
    start_listening
    exec {from}<&- {from}</dev/null # the console's output has no reader
    cat <<<$'get_drivers\nget_drivers' >&"$to" # at once: after the failure nobody reads the FIFO
    wait_until logged 'server: cannot write standard output: Broken pipe'
    run -0 control get_drivers
    kill -TERM "$server_pid"
    server_ends 0
    [ "$(grep -c 'standard output' err)" = 1 ]
}

@test "clients: if the console cannot be watched, that is logged once and the server sleeps" {
    start_faulty epoll_ctl:ADD:8+ --listen taxi.sock
    yes help | head -n 300 >&"$to" 3>&- {from}<&- & # the replies exceed what a pipe holds
    # It is the input if the server has read all that has come so far.
    wait_until logged '^server: cannot watch standard (input|output): Cannot allocate memory$'
    wait_until in_state "$server_pid" S
    before=$(ticks)
    wait_until past $(($(uptime_ms) + 300))
    (($(ticks) - before < 10))
    [ "$(wc -l <err)" = 1 ]
    kill -TERM "$server_pid"
    server_ends 0
}

@test "clients: a client's commands still count after it has gone, but wait for nothing" {
    start_listening
    start_crowd
    crowd attach 1
    crowd say 1 1 1 'create_driver 2'
    crowd say 1 1 3 'send_task any 100'
    crowd say 1 1 1 wait
    crowd say 1 1 1 fly
    crowd close 1 1
    wait_until took 7
    say get_drivers
    expect 'Driver * Busy *' 'Driver * Busy *' '2 drivers'
    wait_until has_clients 1
}

@test "clients: a client that is killed while it waits gives up its place" {
    start_listening
    create
    say "send_task $pid 100"
    expect "Driver $pid Busy 100"
    for name in any all one next; do
        attach $name
    done
    tell any 'send_task any 77'
    tell all wait
    tell one "wait $pid"
    wait_until took 6
    tell next 'send_task any 66'
    wait_until took 7
    for name in any all one; do
        kill -KILL "${client_pid[$name]}"
    done
    wait_until has_clients 2
    say "cancel_task $pid"
    expect "Driver $pid Available"
    hear next "Driver $pid Busy 66"
}

@test "clients: a thousand are served at the same time, in bounded memory" {
    start_listening
    create
    start_crowd
    crowd attach 1000
    crowd say 1 1000 1 "get_status $pid"
    crowd hear 1 1000 1 "Driver $pid Available"
    crowd say 1 1 1 stats
    crowd hear 1 1 1 '* clients=1001 *'
    crowd say 1 1000 1 flee
    crowd say 1 1000 1 quit
    crowd hear 1 1000 1 '*unknown command*'
    crowd end 1 1000
    wait_until has_clients 1
    # Memory is reused, and idle clients keep no buffers.
    (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < MEMORY_MAX_KB))
}

@test "clients: a client that does not read holds up no other, and gets every reply when it reads" {
    start_listening
    create
    start_crowd
    crowd attach 2
    question="get_status $pid"
    sent=0
    fill() {
        crowd fill 1 "$question"
        sent=$((sent + ${said#ok }))
        [[ $said == 'ok 0' ]]
    }
    wait_until rests "$server_pid" fill
    # Other clients go on.
    crowd say 2 2 1 "$question"
    crowd hear 2 2 1 "Driver $pid Available"
    (($(commands_taken) * (${#question} + 1) < sent)) # some commands were not taken yet
    crowd shut 1 1
    whole=$((sent / (${#question} + 1)))
    ((whole > 10000)) || fail "only $whole"
    crowd hear 1 1 $whole "Driver $pid Available"
    (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < MEMORY_MAX_KB))
}

@test "clients: a flood for a stopped driver keeps no other client from that driver" {
    start_listening -t 0.05
    create
    stop_process "$pid"
    start_crowd
    crowd attach 1
    wait_until crowd_is_held_back "get_status $pid"
    attach other
    before=$(commands_taken)
    tell other "get_status $pid"
    one_more() { (($(commands_taken) == before + 1)); }
    wait_until one_more # though the driver's socket and queue are full
    kill -CONT "$pid"
    hear other "* $pid *"
    until tell other "get_status $pid" && hear other "* $pid *" && [ "$line" = "Driver $pid Available" ]; do
        crowd drain 1
    done
}

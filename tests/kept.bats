#!/usr/bin/env bats
# Kept drivers: those that --drivers starts and replaces.

load lib/helpers

@test "--drivers: all N are up when the first command is answered" {
    for count in 1 5 70; do
        run -0 --separate-stderr session -n $count <<<'get_drivers'
        [ "${lines[-1]}" = "$count driver$( ((count == 1)) || echo s)" ]
        ((${#lines[@]} == count + 1))
        [ "$stderr" = '' ]
    done
    for count in 0 -1 x '' 100001; do
        run -2 session -n "$count"
        [ "$output" = "server: bad --drivers '$count' (1 to 100000) (try --help)" ]
    done
}

@test "--drivers: a driver that dies is replaced, which is logged and counted" {
    start_server --drivers 2
    for i in 1 2 3; do
        say get_drivers
        expect 'Driver * Available' 'Driver * Available' '2 drivers'
        line=
        say get_drivers
        expect 'Driver * Available'
        pid=${line//[^0-9]/}
        expect 'Driver * Available' '2 drivers'
        kill -KILL "$pid"
        wait_until counted replaced=$i
        wait_until counted drivers=2
    done
    log_is "server: driver * died (killed by signal 9)" 'server: driver * replaces one that died' 'server: Stats *'
    [ "$(grep -c 'replaces' err)" = 3 ]
}

@test "--drivers: a driver that was deleted, or made by create_driver, is not replaced" {
    start_server --drivers 2
    say get_drivers
    pids=()
    for i in 1 2; do
        expect 'Driver *'
        pids+=("${line//[^0-9]/}")
    done
    expect '2 drivers'
    create
    kill -KILL "$pid"
    wait_until logged "driver $pid died .killed"
    say "delete_driver ${pids[0]}"
    expect "Driver ${pids[0]} Deleted"
    # Once a later death has been handled, these have been, too.
    kill -KILL "${pids[1]}"
    wait_until counted replaced=1
    wait_until counted drivers=1
    counted starting=0
    counted created=4
}

@test "--drivers: a driver that was sent TERM is replaced, and its task ends" {
    start_server --drivers 1
    say 'send_task any 1000'
    expect 'Driver * Busy 1000'
    pid=$(children_of "$server_pid")
    kill -TERM "$pid"
    wait_until counted replaced=1
    wait_until counted drivers=1
    log_is "server: driver ${pid% } died (exited with status 0)" \
        'server: driver * replaces one that died'
    say 'send_task any 5'
    expect 'Driver * Busy 5'
}

@test "--drivers: a driver that is killed because the server's stop takes long is not replaced" {
    fake_driver deaf hello linger
    start_server --drivers 2 -g 0.1 --driver ./deaf
    say shutdown
    server_ends 0
    log_is 'server: driver * did not exit in time: killed' 'server: driver * ended (killed by signal 9)'
}

@test "--drivers: while drivers die within a second, each attempt waits twice as long" {
    fake_driver fails 'read -r up _ </proc/uptime; echo "${up/./}0" >>tries' 'exit 3'
    start_server --drivers 1 --driver ./fails
    say stats # answered although there is no driver
    expect 'Stats * drivers=0 *'
    wait_until tries 5
    mapfile -t at <tries
    for i in 1 2 3 4; do
        # 100, 200, 400, 800 ms; the clock shows hundredths of a second.
        ((at[i] - at[i - 1] >= 100 * (1 << (i - 1)) - 20)) || fail "tries at ${at[*]}"
    done
    # A stop does not wait for the next attempt.
    kill -TERM "$server_pid"
    server_ends 0
    log_is 'server: driver * @(died|ended) (exited with status 3)' 'server: driver * replaces one that died'
}

tries() {
    (($(wc -l <tries) >= $1))
}

@test "--drivers: if a driver does not come up, commands are taken once that is known" {
    fake_driver slow 'read -r -t 1.1 _ <>nothing' 'exit 3'
    mkfifo nothing
    start_server --drivers 1 --driver ./slow
    say stats
    expect 'Stats * died=1 *'
    end_input
    server_ends 0
}

@test "--drivers: if the program cannot be run, that is logged, and it is tried again" {
    start_server --drivers 2 --driver ./missing
    wait_until enough_failures
    "$BASH" -c "cp '$DRIVER' new && mv new missing"
    wait_until counted drivers=2
    log_is 'server: cannot run ./missing: No such file or directory' \
        'server: cannot create driver: No such file or directory'
}

enough_failures() {
    (($(grep -c 'cannot create driver' err) >= 2))
}

@test "--drivers: a task for any driver waits for kept drivers that are not up yet" {
    fake_driver later 'read -r _ <go' 'exec '"$DRIVER"
    mkfifo go
    start_server --drivers 1 --driver ./later
    say 'send_task any 5'
    echo >go
    expect 'Driver * Busy 5'
    pid=${line#Driver }
    pid=${pid%% *}
    say 'send_task any 7'
    wait_until took 2
    kill -KILL "$pid"
    echo >go
    expect 'Driver * Busy 7'
}

#!/usr/bin/env bats
# The server's options.

load lib/helpers

@test "options: --driver names another driver program, by any path" {
    fake_driver other hello linger
    for option in '--driver ./other' '--driver=./other' "-d $PWD/other" '-d./other'; do
        # shellcheck disable=SC2086
        output=$(session -g 0.1 $option <<<create_driver 2>err)
        [[ $output == 'Driver '*' Available' ]]
    done
}

@test "options: --verbose logs each driver's start, end and task" {
    start_server --verbose
    create
    say "send_task $pid 0.05"
    expect '*'
    wait_until logged "^server: driver $pid task done$"
    say "delete_driver $pid"
    expect '*'
    [ "$(cat err)" = "server: driver $pid started
server: driver $pid task of 0.050 s started
server: driver $pid task done
server: driver $pid ended (exited with status 0)" ]
}

@test "options: --help and --version write to standard output and exit with status 0" {
    for option in -h --help; do
        run -0 --separate-stderr session $option
        [[ $output == 'usage: server '* ]]
        [ -z "$stderr" ]
    done
    for option in -V --version; do
        run -0 --separate-stderr session $option
        [[ $output =~ ^taxi-server\ [0-9.]+$ ]]
    done
    run -1 bash -c "'$SERVER' --help >/dev/full"
    [ "$output" = 'server: cannot write standard output: No space left on device' ]
}

@test "options: an unknown option suggests the one that was probably meant" {
    declare -A meant=([--halp]=help [--driverz=2]=drivers [--lissten]=listen [--jsno]=json [--drive]=driver)
    for option in "${!meant[@]}"; do
        run -2 --separate-stderr session "$option" </dev/null
        [ -z "$output" ]
        [ "$stderr" = "server: unknown option '$option' (did you mean --${meant[$option]}?)" ] || fail "$stderr"
    done
    for option in --fly --json=1; do # the last one exists, and has no value
        run -2 session "$option" </dev/null
        [ "$output" = "server: unknown option '$option' (try --help)" ] || fail "$output"
    done
}

@test "options: wrong usage writes one line to standard error and exits with status 2" {
    for options in --fly -x --grace '--grace 0' '-g -1' '-t 1x' '--start-timeout 0.0001' --watchdog '--watchdog 0' '-g 31536001' --linger '--linger 3600.001' '--linger 0.0001' '--linger -0' '--linger =' operand '-v operand'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr session $options </dev/null
        [ -z "$output" ]
        [[ $stderr == 'server: '*' (try --help)' ]] || fail "$options: $stderr"
        [ "$(wc -l <<<"$stderr")" = 1 ]
    done
}

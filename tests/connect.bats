#!/usr/bin/env bats
# server --connect: the client program.

load lib/helpers

@test "connect: one command prints its reply; the exit status is 1 after an Error, else 0" {
    start_listening
    run -0 control create_driver
    [[ $output == 'Driver '+([0-9])' Available' ]]
    pid=${output//[^0-9]/}
    run -0 control send_task "$pid" 100
    [ "$output" = "Driver $pid Busy 100" ]
    run -1 control send_task "$pid" 5
    [[ $output == "Error: driver $pid Busy "* ]]
    run -1 control fly '--high' ''
    [ "$output" = "Error: unknown command 'fly' (try help)" ]
    run -0 control create_driver 2
    [ "${lines[2]}" = '2 drivers' ]
    for silent in quit '# nothing' '' 'session json'; do
        run -0 control "$silent"
        [ "$output" = '' ]
    done
    run -0 control shutdown
    [ "$output" = '' ]
    server_ends 0
}

@test "connect: the exit status is 1 also if the Error comes after other lines of the reply" {
    fake_driver third 'set -C; n=0; until : >born$n; do n=$((n + 1)); done 2>/dev/null' \
        '((n == 2)) && exit 7' hello linger
    start_listening -g 0.2 --driver ./third
    run -1 control create_driver 3
    [[ $output == *'Error: cannot create driver: '+([0-9])' died (exited with status 7)'$'\n'[012]' driver'* ]]
}

@test "connect: wrong usage ends with status 2, and nothing is sent to the server" {
    start_listening
    run -2 control $'get_drivers\nshutdown'
    [ "$output" = 'server: a command is one line (try --help)' ]
    run -2 control "$(printf '%4096d' 0)"
    [ "$output" = 'server: command too long (limit 4096 bytes) (try --help)' ]
    run -2 session --connect
    run -2 session --connect taxi.sock --listen other.sock
    [ "$output" = 'server: --connect goes with --here and --json only (try --help)' ]
    run -1 control "$(printf '%04095d' 0)"
    [[ $output == "Error: unknown command '000"* ]]
    say stats
    expect 'Stats * commands=2 *'
}

@test "connect: without a server, it says why and exits with status 3" {
    run -3 control get_drivers
    [ "$output" = 'server: no server answers at taxi.sock: No such file or directory' ]
    echo >taxi.sock
    run -3 control get_drivers
    [ "$output" = 'server: no server answers at taxi.sock: Connection refused' ]
    run -3 control </dev/null
}

@test "connect: if the server is killed before it answers, it says so and exits with status 3" {
    start_listening
    create
    say "send_task $pid 100"
    expect '*'
    attach one wait
    attach many
    tell many get_drivers wait
    hear many 'Driver *' '1 driver'
    wait_until took 6
    kill -KILL "$server_pid"
    for name in one many; do
        client_ends $name 3
        [ "$(cat $name.err)" = 'server: the server at taxi.sock has ended the connection' ]
    done
}

@test "connect: standard input may be a pipe, a file, or nothing" {
    start_listening
    printf 'get_drivers\nstats' >commands
    for run in 'cat commands | control' 'control <commands'; do
        run -0 eval "$run"
        [[ $output == '0 drivers'$'\n''Stats '* ]]
    done
    run -0 control </dev/null
    [ "$output" = '' ]
    run -1 bash -c "exec '$SERVER' -c taxi.sock <&-"
    [ "$output" = 'server: cannot read standard input: Bad file descriptor' ]
    run -1 control <<<'fly'
    run -1 control --json <<<'fly'
    [ "$output" = '{"error":"unknown command '"'fly'"' (try help)","code":"unknown_command"}' ]
    run -0 bash -c "exec '$SERVER' -c taxi.sock get_drivers <&-"
    [ "$output" = '0 drivers' ]
    run -1 control </
    [ "$output" = 'server: cannot read standard input: Is a directory' ]
    run -0 control get_drivers </
    [ "$output" = '0 drivers' ]
}

@test "connect: a hundred thousand commands get all their replies, in order" {
    start_listening
    create
    seq 1000000001 1000050000 | sed "s/.*/get_status $pid\nget_status &/" >commands
    seq 1000000001 1000050000 | sed "s/.*/Driver $pid Available\nError: no driver &/" >expected
    status=0
    control <commands >replies || status=$?
    [ "$status" = 1 ]
    cmp replies expected
}

@test "connect: if the reader of its replies goes away, the client ends, but not the server" {
    start_listening
    yes help | head -n 20000 >commands
    { control <commands 2>client_err || echo $? >status; } | head -n 1 >first
    [ -s status ]
    run -0 control get_drivers
}

@test "connect: on a full disk, it says why and exits with status 1" {
    start_listening
    run -1 bash -c "exec '$SERVER' -c taxi.sock get_drivers >/dev/full"
    [ "$output" = 'server: cannot write standard output: No space left on device' ]
}

@test "connect: signals that end it are read from a signalfd, except those ignored before" {
    start_listening
    attach one
    tell one get_drivers
    hear one '0 drivers'
    client=${client_pid[one]}
    # TERM, INT and HUP, except those that the shell ignores for background processes.
    (((0x$(status_field "$client" SigBlk)) == (0x4003 & ~0x$(status_field "$client" SigIgn))))
    [ "$(status_field "$client" SigCgt)" = 0000000000000000 ]
    readlink "/proc/$client/fd/"* | grep -q 'anon_inode:\[signalfd\]'
    kill -TERM "$client"
    client_ends one $((128 + 15))
    mkfifo nohup.in
    (trap '' HUP && exec "$SERVER" --connect taxi.sock <nohup.in >nohup.out 3>&-) &
    client=$!
    started+=("$client")
    exec {input}>nohup.in
    echo get_drivers >&"$input"
    wait_until test -s nohup.out
    kill -HUP "$client"
    echo fly >&"$input"
    wait_until grep -q Error nohup.out
    exec {input}>&-
    wait_until ended "$client"
    run -0 control get_drivers
}

@test "connect: as process 1, which no signal ends, it ends with 128 and the signal's number" {
    needs_pid_namespace
    start_listening
    say 'submit 100 true'
    expect 'Job 1 Waiting'
    unshare --fork --pid --kill-child "$SERVER" --connect taxi.sock wait_job 1 2>one.err 3>&- &
    unshare_pid=$!
    started+=("$unshare_pid")
    wait_until took 3
    client=$(children_of "$unshare_pid")
    kill -TERM "${client% }"
    wait_until ended "$unshare_pid"
    status=0
    wait "$unshare_pid" || status=$?
    [ "$status" = $((128 + 15)) ]
    [ ! -s one.err ]
}

@test "connect: sleeps while it waits" {
    start_listening
    create
    say "send_task $pid 100"
    expect '*'
    attach one wait
    wait_until took 4
    wait_until rests "${client_pid[one]}" pause
    before=$(status_field "${client_pid[one]}" voluntary_ctxt_switches)
    wait_until past "$(($(uptime_ms) + 300))"
    [ "$(status_field "${client_pid[one]}" voluntary_ctxt_switches)" = "$before" ]
    [ "$(status_field "${client_pid[one]}" nonvoluntary_ctxt_switches)" -lt 50 ]
    say "cancel_task $pid"
    expect '*'
    hear one '1 driver'
    client_ends one 0
}

@test "connect: at a terminal it shows a prompt, and Ctrl+C ends only the client" {
    start_listening
    control_fd=$to
    start_terminal "env --default-signal=INT '$SERVER' --connect taxi.sock"
    shows '^> $'
    keys 'get_drivers\n'
    shows '^0 drivers'
    wait_until prompts 2
    keys 'wait 5\n'
    shows '^Error: no driver 5'
    keys '\003'
    wait_until ended "$terminal_pid"
    status=0
    wait "$terminal_pid" || status=$?
    [ "$status" = 130 ]
    exec {to}>&-
    to=$control_fd
    run -0 control get_drivers
}

@test "connect: Ctrl+D at a terminal ends it, after a newline; the status is 1 after an Error" {
    start_listening
    control_fd=$to
    for line in get_drivers fly; do
        start_terminal "'$SERVER' --connect taxi.sock; echo status \$?"
        shows '^> $'
        keys "$line\n"
        wait_until prompts 2
        keys '\004'
        shows "^status $([ $line = fly ] && echo 1 || echo 0)"
        wait_until ended "$terminal_pid"
        exec {to}>&-
        rm keys
    done
    to=$control_fd
}

@test "connect: shows no prompt if standard input or output is not a terminal" {
    start_listening
    control_fd=$to
    start_terminal "'$SERVER' --connect taxi.sock | cat"
    keys 'get_drivers\n'
    shows '^0 drivers'
    keys '\004'
    wait_until ended "$terminal_pid"
    prompts 0
    exec {to}>&-
    to=$control_fd
}

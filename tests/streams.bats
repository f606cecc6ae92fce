#!/usr/bin/env bats
# Standard output and standard error, with and without a reader; and that what the caller shares
# stays as it was.

load lib/helpers

# flags_of FD: prints the flags of a descriptor of this shell, in octal; see proc(5).
flags_of() {
    sed -n 's/^flags:[[:space:]]*//p' "/proc/$BASHPID/fdinfo/$1"
}

nonblocking() {
    (($(flags_of "$1") & 04000))
}

@test "stdout: carries replies and nothing else, no prompt" {
    run -0 --separate-stderr session -v <<<create_driver
    [[ $output =~ ^Driver\ [0-9]+\ Available$ ]]
    [[ $stderr == 'server: driver '* ]]
}

@test "streams: O_NONBLOCK is never left set on what the caller shares" {
    mkfifo in out err
    exec {a}<>in {b}<>out {c}<>err
    echo get_drivers >&"$a"
    "$SERVER" <&"$a" >&"$b" 2>&"$c" 3>&- &
    started+=($!)
    IFS= read -r -t "$DEADLINE" -u "$b" line
    [ "$line" = '0 drivers' ]
    run ! nonblocking "$a"
    run ! nonblocking "$b"
    run ! nonblocking "$c"
    kill -TERM $!
    wait $!
    run ! nonblocking "$a"
    run ! nonblocking "$b"
    run ! nonblocking "$c"
}

@test "streams: a job that sets O_NONBLOCK on a pipe sets it for itself alone" {
    mkfifo err
    exec {c}<>err
    session --each 50 perl -MFcntl -e 'fcntl STDERR, F_SETFL, O_NONBLOCK or die' <<<x >out 2>&"$c"
    [ "$(<out)" = 'Job 1 Done exit 0' ]
    run ! nonblocking "$c"
}

@test "streams: a job's output to a pipe has no O_NONBLOCK" {
    mkfifo err
    exec {c}<>err
    session --each 50 grep flags <<<$'/proc/self/fdinfo/1\n/proc/self/fdinfo/2' >out 2>&"$c"
    [ "$(<out)" = $'Job 1 Done exit 0\nJob 2 Done exit 0' ]
    for _ in 1 2; do
        IFS=$'\t' read -r -t "$DEADLINE" -u "$c" name flags
        [ "$name" = flags: ]
        ((!(flags & 04000))) || fail "$flags"
    done
}

@test "stdout: if its reader stops reading, TERM still ends the server" {
    start_server -g 0.3
    # The server stops reading commands once the pipe (64 KiB) and its own buffers are full.
    flood 5000 help
    wait_until held_back
    kill -TERM "$server_pid"
    server_ends 0
    logged 'server: output that nobody read was dropped'
}

@test "stdout: if its reader stops reading, the server's memory stays bounded" {
    for command in help x stats get_drivers; do
        start_server -g 0.1
        flood 1000000 $command
        wait_until held_back
        (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < MEMORY_MAX_KB))
        kill -KILL "$server_pid"
        wait "$server_pid" || true
        hang_up
    done
}

@test "stdout: if its reader comes back, it gets every reply exactly once, in order" {
    start_server
    seq -f 'x%.0f' 20000 >commands
    cat commands >in 3>&- &
    flooder=$!
    wait_until held_back
    timeout "$DEADLINE" head -n 20000 <&"$from" >replies
    sed "s/.*/Error: unknown command '&' (try help)/" commands | cmp - replies
    end_input
    server_ends 0
}

@test "stdout: if its reader goes away, the server says why and ends cleanly with status 1" {
    start_server
    create
    exec {from}<&-
    from=
    say get_drivers
    server_ends 1
    gone "$pid"
    [ "$(cat err)" = 'server: cannot write standard output: Broken pipe' ]
}

@test "stdout: on a full disk, the server says why and exits with status 1" {
    run -1 timeout 120 bash -c "echo help | '$SERVER' >/dev/full"
    [ "$output" = 'server: cannot write standard output: No space left on device' ]
}

@test "stdout: if it is closed, the server exits with status 1 once it has a reply to write" {
    run -1 --separate-stderr timeout 120 bash -c "echo help | '$SERVER' >&-"
    [ "$stderr" = 'server: cannot write standard output: Bad file descriptor' ]
    run -0 --separate-stderr timeout 120 bash -c "true | '$SERVER' >&-"
}

@test "stderr: if it is closed or full, the server works on" {
    output=$(echo create_driver | session -v 2>&-)
    [[ $output == 'Driver '*' Available' ]]
    output=$(echo create_driver | session -v 2>/dev/full)
    [[ $output == 'Driver '*' Available' ]]
}

@test "stderr: if nobody reads it, log lines are dropped and counted, and nothing waits" {
    mkfifo log
    exec {both}<>log
    start bash -c "exec '$SERVER' 2>log"
    say get_drivers
    expect '0 drivers'
    for _ in {1..500}; do # their stats are twice as much as the pipe holds
        kill -USR1 "$server_pid"
        say get_drivers
        expect '0 drivers'
    done
    say stats
    reply
    [[ $line =~ log_dropped=([0-9]+) ]]
    ((BASH_REMATCH[1] > 0)) || fail "$line"
}

@test "stderr: log lines name the program and escape control characters" {
    ask create_driver
    [ "$status" = 0 ]
    run -0 --separate-stderr session --driver $'/no\n\33such' <<<create_driver
    [ "$output" = 'Error: cannot create driver: No such file or directory' ]
    [ "$stderr" = 'server: cannot run /no\x0a\x1bsuch: No such file or directory' ]
}

@test "another user's pipes: all replies arrive" {
    become_other
    output=$(yes help | head -n 3000 | timeout 120 "${as_other[@]}" ./server 2>err | grep -c '^20 commands$')
    [ "$output" = 3000 ]
    [ ! -s err ]
}

@test "another user's pipes: if their reader stops reading, TERM still ends the server" {
    become_other
    umask 077 # the other user may not open the FIFOs
    start "${as_other[@]}" ./server -g 0.2
    say help help help help
    wait_until took 4 # there is room in the pipe, but less than for what comes next
    flood 5000 help
    wait_until held_back
    kill -TERM "$server_pid"
    server_ends 0
}

@test "another user's terminal: prompt, replies and Ctrl+C work as usual" {
    become_other
    start_terminal "${as_other[*]} $PWD/server"
    shows '> $'
    keys 'help\n'
    shows '^20 commands'
    keys '\003'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
}

@test "another user's terminal: works even if it is not the controlling one" {
    become_other
    start_terminal "${as_other[*]} setsid --wait $PWD/server"
    shows '> $'
    keys 'help\n'
    shows '^20 commands'
    keys 'quit\n'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
}

@test "socket: can be both stdin and stdout; its end is the end of input" {
    run -0 "$LIB/socket-session.pl" ask "$SERVER" 2>err
    [ "$output" = $'0 drivers\nError: unknown command \'fly\' (try help)' ]
}

@test "socket: after quit, the replies end without an error, even if more was sent" {
    run -0 "$LIB/socket-session.pl" quit "$SERVER"
    [ "$output" = '0 drivers' ]
}

@test "socket: if nobody reads it, TERM still ends the server" {
    run -0 --separate-stderr "$LIB/socket-session.pl" flood "$SERVER"
    [[ $stderr == *'server: output that nobody read was dropped'* ]]
}

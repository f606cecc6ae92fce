#!/usr/bin/env bats
# Standard output and standard error: who reads, who does not, and what stays as it was.

load helpers

# The flags of a descriptor of this shell, in octal, see proc(5).
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

@test "O_NONBLOCK is never left set on what the caller shares" {
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

@test "a reader that stops reading: TERM ends the server all the same" {
    start_server -g 0.3
    # The server holds itself back once the pipe, 64 KiB, and its own buffers are full.
    yes help 2>/dev/null | head -n 5000 >in 3>&- &
    wait_until held_back
    kill -TERM "$server_pid"
    server_ends 0
    logged 'server: output that nobody read was dropped'
}

# The server waits for its reader, and sleeps with the same consumption of its processor in two looks.
held_back() {
    local before
    output_waits || return
    before=$(cut -d' ' -f14,15 "/proc/$server_pid/stat")
    in_state "$server_pid" S || return
    pause
    pause
    pause
    [ "$(cut -d' ' -f14,15 "/proc/$server_pid/stat")" = "$before" ]
}

@test "a reader that stops reading: memory stays bounded, whatever is asked" {
    for command in help x stats get_drivers; do
        start_server -g 0.1
        yes $command 2>/dev/null | head -n 1000000 >in 3>&- &
        wait_until held_back
        (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < MEMORY_MAX_KB))
        kill -KILL "$server_pid"
        wait "$server_pid" || true
        hang_up
    done
}

@test "a reader that comes back: every reply is there, in order, once" {
    start_server
    {
        for i in {1..20000}; do
            echo "x$i"
        done
    } >in 3>&- &
    wait_until held_back
    for i in {1..20000}; do
        read -r -t "$DEADLINE" -u "$from" line
        [[ $line == "Error: unknown command 'x$i' (try help)" ]] || fail "$i: $line"
    done
    end_input
    server_ends 0
}

@test "a reader that goes away: the server ends cleanly with status 1, and says why" {
    start_server
    create
    exec {from}<&-
    from=
    say get_drivers
    server_ends 1
    gone "$pid"
    [ "$(cat err)" = 'server: cannot write standard output: Broken pipe' ]
}

@test "a full disk behind stdout: status 1, and why" {
    run -1 timeout 30 bash -c "echo help | '$SERVER' >/dev/full"
    [ "$output" = 'server: cannot write standard output: No space left on device' ]
}

@test "stdout closed: status 1 once there is something to say" {
    run -1 --separate-stderr timeout 30 bash -c "echo help | '$SERVER' >&-"
    [ "$stderr" = 'server: cannot write standard output: Bad file descriptor' ]
    run -0 --separate-stderr timeout 30 bash -c "true | '$SERVER' >&-"
}

@test "stderr closed, or full: the server works on" {
    output=$(echo create_driver | session -v 2>&-)
    [[ $output == 'Driver '*' Available' ]]
    output=$(echo create_driver | session -v 2>/dev/full)
    [[ $output == 'Driver '*' Available' ]]
}

@test "stderr that nobody reads: log lines are dropped and counted, nothing waits" {
    mkfifo log
    exec {both}<>log
    start bash -c "exec '$SERVER' 2>log"
    say get_drivers
    expect '0 drivers'
    for _ in {1..1500}; do
        kill -USR1 "$server_pid"
        say get_drivers
        expect '0 drivers'
    done
    say stats
    reply
    [[ $line =~ log_dropped=([0-9]+) ]]
    ((BASH_REMATCH[1] > 0)) || fail "$line"
}

@test "log: says who speaks, and shows control characters" {
    ask create_driver
    [ "$status" = 0 ]
    run -0 --separate-stderr session --driver $'/no\n\33such' <<<create_driver
    [ "$output" = 'Error: cannot create driver: No such file or directory' ]
    [ "$stderr" = 'server: cannot run /no\x0a\x1bsuch: No such file or directory' ]
}

# Sets nobody, what comes before a command to run it as a user who may open none of our pipes.
as_nobody() {
    [ "$(id -u)" = 0 ] || skip 'only root can become another user'
    command -v setpriv >/dev/null || skip 'no setpriv'
    cp "$SERVER" "$DRIVER" .
    chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* .
    nobody=(setpriv --reuid=64999 --regid=64999 --clear-groups)
}

@test "pipes of another user: all replies" {
    as_nobody
    output=$(yes help | head -n 3000 | timeout 30 "${nobody[@]}" ./server 2>err | grep -c '^14 commands$')
    [ "$output" = 3000 ]
    [ ! -s err ]
}

@test "pipes of another user: a reader that stops reading; TERM ends the server all the same" {
    as_nobody
    umask 077 # for the FIFOs
    start "${nobody[@]}" ./server -g 0.2
    yes help 2>/dev/null | head -n 5000 >in 3>&- &
    wait_until held_back
    kill -TERM "$server_pid"
    server_ends 0
}

@test "a terminal of another user: a session as any" {
    as_nobody
    start_terminal "${nobody[*]} $PWD/server"
    shows '> $'
    keys 'help\n'
    shows '^14 commands'
    keys '\003'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
}

@test "a terminal of another user that is not our controlling one: a session as any" {
    as_nobody
    start_terminal "${nobody[*]} setsid --wait $PWD/server"
    shows '> $'
    keys 'help\n'
    shows '^14 commands'
    keys 'quit\n'
    wait_until ended "$terminal_pid"
    wait "$terminal_pid"
}

# socket_session PERL: standard input and output of the server are one socket; the other end is $s
# in that code, with $pid the server's. Sockets are made by perl, which every Debian has.
socket_session() {
    command -v perl >/dev/null || skip 'no perl to make a socketpair with'
    perl -MSocket -MFcntl -MPOSIX=:sys_wait_h -e '
        socketpair(my $s, my $t, AF_UNIX, SOCK_STREAM, 0) or die;
        my $pid = fork();
        if (!$pid) {
            POSIX::dup2(fileno($t), 0);
            POSIX::dup2(fileno($t), 1);
            exec $ARGV[0], "-g", "0.2";
        }
        alarm 20;
        sub nonblocking { fcntl($t, F_GETFL, 0) & O_NONBLOCK }
        sub done { close $t; waitpid($pid, 0) == $pid or die; exit($? >> 8) }
        '"$1" "$SERVER" 2>err
}

@test "stdin and stdout: one socket for both; its end is the end of input" {
    run -0 socket_session '
        syswrite $s, "get_drivers\nfly"; shutdown $s, 1;
        my $line = <$s>; print $line; # so it has begun
        nonblocking() and die "nonblocking";
        close $t; print while <$s>; done();'
    [ "$output" = $'0 drivers\nError: unknown command \'fly\' (try help)' ]
}

@test "stdin and stdout: a socket that nobody reads; TERM ends the server all the same" {
    run -0 socket_session '
        # More help than a socket holds, until the server takes no more of it either.
        fcntl $s, F_SETFL, O_NONBLOCK;
        my $idle = 0;
        while ($idle < 20) {
            if (syswrite $s, "help\n" x 1000) { $idle = 0 } else { $idle++; select undef, undef, undef, 0.01 }
        }
        nonblocking() and die "nonblocking";
        kill "TERM", $pid; done();'
    logged 'server: output that nobody read was dropped'
}

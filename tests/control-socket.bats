#!/usr/bin/env bats
# The control socket: its file, and who may connect to it.

load lib/helpers

@test "control socket: only the server's user may use it, whatever the umask" {
    for mask in 000 077 777; do
        (umask $mask && exec "$SERVER" -l taxi.sock </dev/null 2>err 3>&-) &
        server_pid=$!
        started+=("$server_pid")
        wait_until control stats
        [ "$(stat -c '%a %F' taxi.sock)" = '600 socket' ]
        kill -TERM "$server_pid"
        server_ends 0
        [ ! -e taxi.sock ]
    done
}

@test "control socket: a dead server's socket is taken over" {
    start_listening
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    [ -S taxi.sock ]
    run -3 control stats
    hang_up
    start_listening
    run -0 control get_drivers
    [ "$output" = '0 drivers' ]
    [ ! -s err ]
}

@test "control socket: a live server's socket is left alone, even while that server is stopped" {
    start_listening
    before=$(stat -c '%d %i' taxi.sock)
    for signal in CONT STOP; do
        kill "-$signal" "$server_pid"
        run -1 session --listen taxi.sock
        [ "$output" = 'server: cannot listen on taxi.sock: another server does' ]
        [ "$(stat -c '%d %i' taxi.sock)" = "$before" ]
    done
    kill -CONT "$server_pid"
    run -0 control get_drivers
}

@test "control socket: a file that is not a socket is left alone" {
    echo precious >file
    mkdir directory
    ln -s nowhere link
    for path in file directory link; do
        run -1 session --listen $path
        [ "$output" = "server: cannot listen on $path: it exists and is no socket" ]
    done
    [ "$(cat file)" = precious ]
    run -1 session --listen missing/taxi.sock
    [ "$output" = 'server: cannot listen on missing/taxi.sock: No such file or directory' ]
}

@test "control socket: its path has at most 107 bytes" {
    path=$(printf 'x%0106d' 0)
    start_server --listen "$path"
    wait_until "$SERVER" --connect "$path" get_drivers
    for option in listen connect; do
        run -2 session --$option "0$path"
        [ "$output" = "server: --$option: path too long (limit 107 bytes): '0$path' (try --help)" ]
        run -2 session --$option ''
        [ "$output" = "server: --$option needs a path that is not empty (try --help)" ]
    done
}

@test "control socket: what looks like a port is wrong usage; a file of that name has a slash" {
    for port in 8080 127.0.0.1:8080 localhost:80 '[::1]:80' :80 '*:80'; do
        for option in --listen --connect; do
            run -2 session $option "$port"
            [ "$output" = "server: $option needs the path of a UNIX socket, and '$port' looks like a port; a file of \
that name is ./$port, and for TCP see CLIENTS in taxi-server(1) (try --help)" ] || fail "$output"
        done
    done
    [ -z "$(ls)" ]
    for path in ./127.0.0.1:8080 ./8080 a:b 8080.sock host:; do
        start_server --listen "$path"
        wait_until "$SERVER" --connect "$path" get_drivers
        [ -S "$path" ]
        kill -TERM "$server_pid"
        server_ends 0
        hang_up
    done
}

@test "control socket: on exit the server removes only its own file" {
    start_listening
    rm taxi.sock
    timeout 120 "$SERVER" --listen taxi.sock </dev/null 3>&- &
    second=$!
    started+=("$second")
    wait_until control stats
    kill -TERM "$server_pid"
    server_ends 0
    run -0 control get_drivers
    control shutdown
    wait "$second"
    [ ! -e taxi.sock ]
}

@test "control socket: if a later step of starting fails, it is removed" {
    run -1 bash -c "ulimit -n 8; exec '$SERVER' --listen taxi.sock"
    [[ $output == 'server: cannot '*': Too many open files'* ]] # a leak checker may complain, too
    [ ! -e taxi.sock ]
}

@test "control socket: of many servers that start together, one gets a dead server's socket" {
    start_listening
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    pids=()
    for i in {1..8}; do
        "$SERVER" --listen taxi.sock </dev/null 2>"err.$i" 3>&- &
        pids+=("$!")
    done
    started+=("${pids[@]}")
    one_is_left() {
        left=0
        for pid in "${pids[@]}"; do ! alive "$pid" || left=$((left + 1)); done
        ((left == 1))
    }
    wait_until one_is_left
    control shutdown
    for pid in "${pids[@]}"; do wait_until ended "$pid"; done
    [ "$(cat err.* | sort -u)" = 'server: cannot listen on taxi.sock: another server does' ]
    [ "$(cat err.* | wc -l)" = 7 ]
}

@test "control socket: another user is refused, with the reason; root is not" {
    become_other
    cp "$HELPERS/crowd" .
    start_listening
    chmod 666 taxi.sock
    run -0 "${as_other[@]}" ./crowd taxi.sock "$DEADLINE" <<'END'
attach 1
hear 1 1 1 Error: only the server's own user may give it commands
end 1 1
END
    [ "$output" = $'ok\nok\nok' ]
    logged "^server: refused a connection of user $OTHER_UID\$"
    kill -TERM "$server_pid"
    server_ends 0
    hang_up
    chown "$OTHER_UID" .
    start "${as_other[@]}" ./server --listen taxi.sock
    wait_until control stats
    run -0 control get_drivers
}

@test "control socket: of many that are refused, only the first ones are logged, and the others are counted" {
    become_other
    start_listening
    chmod 666 taxi.sock
    run -0 "${as_other[@]}" perl -MSocket -e '
        for (1 .. 1000) {
            socket my $socket, AF_UNIX, SOCK_STREAM, 0 or die;
            connect $socket, sockaddr_un "taxi.sock" or die;
            <$socket> =~ /^Error/ or die;
        }'
    kill -TERM "$server_pid"
    server_ends 0
    log_is "server: refused a connection of user $OTHER_UID" 'server: +([0-9]) more connections refused'
    told=$(grep -c 'refused a' err)
    ((told >= 10 && told < 100)) # more than ten if it takes more than a minute
    [ "$(awk '/more/ { n += $2 } END { print n }' err)" = $((1000 - told)) ]
}

# listening: prints the number of the descriptor at which the server listens.
listening() {
    local fd inode
    for fd in "/proc/$server_pid/fd/"*; do
        inode=$(readlink "$fd")
        ! grep -q " 00010000 .* ${inode//[!0-9]/} taxi.sock$" /proc/net/unix || echo "${fd##*/}"
    done
}

# The server's epoll set does not have the descriptor with that number.
not_watched() {
    ! grep -qs "^tfd: *$1 " "/proc/$server_pid/fdinfo/"*
}

@test "control socket: without a descriptor for it, a client waits while the server sleeps" {
    start bash -c "ulimit -n 24; exec '$SERVER' --listen taxi.sock"
    wait_until control get_drivers
    fd=$(listening)
    run ! not_watched "$fd"
    start_crowd
    crowd attach 40
    wait_until logged 'server: cannot accept a connection: Too many open files'
    wait_until not_watched "$fd" # a busy machine would hide that the server does not sleep
    before=$(ticks)
    wait_until past $(($(uptime_ms) + 500)) # it tries again every 100 ms
    (($(ticks) - before < 10))
    crowd say 1 40 1 get_drivers
    crowd say 1 40 1 quit
    crowd hear 1 40 1 0 drivers
    [ "$(cat err)" = 'server: cannot accept a connection: Too many open files' ] || fail "$(cat err)"
    run -0 control get_drivers
}

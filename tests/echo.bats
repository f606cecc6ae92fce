#!/usr/bin/env bats
# tests/examples/echo.c: an echo server.

load lib/helpers
load lib/examples

# It says its port; sets that.
announced() {
    wait_until grep -sq '^port' output
    port=$(sed -n 's/^port //p' output)
}

# echo_server PORT [HOST]
echo_server() {
    example echo "$@"
    announced
}

# connect FD-VARIABLE [HOST]
connect() {
    local fd
    exec {fd}<>"/dev/tcp/${2:-127.0.0.1}/$port" || return
    printf -v "$1" %d "$fd"
}

# echoes FD: what is sent there comes back.
echoes() {
    local got
    echo "hello $1" >&"$1"
    IFS= read -r -t "$DEADLINE" -u "$1" got
    [ "$got" = "hello $1" ]
}

# closed FD: there is nothing more to read.
closed() {
    local got
    run -1 read -r -t "$DEADLINE" -u "$1" got # over 128 if it was in vain
}

net() {
    perl "$ROOT/tests/lib/net.pl" "$@" 3>&-
}

# deaf_client: one that sends and does not read, until the server cannot send any more. Sets deaf.
deaf_client() {
    perl "$ROOT/tests/lib/net.pl" deaf 127.0.0.1 "$port" 3>&- &
    deaf=$!
    started+=("$deaf")
    wait_until watches 1c 1 # EPOLLOUT, with what epoll adds to it
}

needs_ipv6() {
    net owns ::1 || skip 'no IPv6 here'
}

@test "echo: TCP" {
    echo_server 0
    connect client
    echoes "$client"
    echoes "$client"
}

@test "echo: TCP over IPv6, at the same port" {
    needs_ipv6
    echo_server 0
    connect client ::1
    echoes "$client"
}

@test "echo: UDP at the same port, from no byte to as many as a datagram can have" {
    echo_server 0
    run -0 net datagrams 127.0.0.1 "$port" 1 0 1400 65507
    [ "$output" = $'1: same\n0: same\n1400: same\n65507: same' ]
}

@test "echo: UDP over IPv6, at the same port" {
    needs_ipv6
    echo_server 0
    run -0 net datagrams ::1 "$port" 1 1400
    [ "$output" = $'1: same\n1400: same' ]
}

@test "echo: the host that it is told, and no other" {
    echo_server 0 127.0.0.2
    connect client 127.0.0.2
    echoes "$client"
    run ! connect client 127.0.0.1
}

# alone FAMILY ARGUMENT...: an echo server where there is only IPv4, or only IPv6.
alone() {
    unshare -rn true 2>/dev/null || skip 'no network namespaces of our own here'
    unshare -rn perl "$ROOT/tests/lib/only-family.pl" "$1" "$EXAMPLES/echo" 0 \
        >output 2>errors 3>&- &
    server_pid=$!
    started+=("$server_pid")
    announced
}

inside() {
    nsenter --preserve-credentials -U -n -t "$server_pid" "$@"
}

@test "echo: where there is no IPv6" {
    alone 4
    run -0 inside perl "$ROOT/tests/lib/net.pl" exchange 127.0.0.1 "$port" <<<hello
    [ "$output" = hello ]
    run ! inside perl "$ROOT/tests/lib/net.pl" exchange ::1 "$port" <<<hello
    [ ! -s errors ]
}

@test "echo: where there is no IPv4" {
    needs_ipv6
    alone 6
    run -0 inside perl "$ROOT/tests/lib/net.pl" exchange ::1 "$port" <<<hello
    [ "$output" = hello ]
    run ! inside perl "$ROOT/tests/lib/net.pl" exchange 127.0.0.1 "$port" <<<hello
    [ ! -s errors ]
}

@test "echo: a port that is in use, an address of somebody else's, a port that is none" {
    echo_once() { timeout "$DEADLINE" "$EXAMPLES/echo" "$@"; }
    echo_server 0
    run -1 echo_once "$port"
    [ "$output" = 'echo: cannot listen: Address already in use' ] || fail "$output"
    run -1 echo_once 0 192.0.2.1 # of documentation, RFC 5737
    [ "$output" = 'echo: cannot listen: Cannot assign requested address' ]
    for word in '' x -1 65536 99999999999999999999; do
        run -2 echo_once "$word"
        [ "$output" = 'echo: usage: echo PORT [HOST]' ]
    done
    run -2 echo_once
}

@test "echo: a client that closes its direction gets the whole echo first" {
    echo_server 0
    head -c 1000000 /dev/urandom >sent
    net exchange 127.0.0.1 "$port" <sent >received
    cmp sent received
}

@test "echo: clients that vanish leave nothing behind" {
    echo_server 0
    connect client
    echoes "$client"
    wait_until idle
    before=$(ls "/proc/$server_pid/fd")
    net vanish 127.0.0.1 "$port" 50
    echoes "$client"
    same_descriptors() { [ "$(ls "/proc/$server_pid/fd")" = "$before" ]; }
    wait_until same_descriptors
    wait_until idle
    alive "$server_pid"
}

@test "echo: a client that reads nothing costs no memory, and holds up nobody" {
    echo_server 0
    before=$(status_field "$server_pid" VmRSS | tr -dc 0-9)
    deaf_client
    wait_until idle
    (($(status_field "$server_pid" VmRSS | tr -dc 0-9) < before + 1024))
    connect client
    echoes "$client"
    run -0 net datagrams 127.0.0.1 "$port" 1
    kill "$deaf"
    wait_until watches 1c 0
    echoes "$client"
}

@test "echo: no descriptor for a client: it waits for one, without spinning" {
    (
        ulimit -n 16
        exec "$EXAMPLES/echo" 0 >output 2>errors 3>&-
    ) &
    server_pid=$!
    started+=("$server_pid")
    announced
    clients=()
    for ((i = 0; i < 9; i++)); do
        connect client
        clients+=("$client")
    done
    listener_waits() { watches 80000019 1; } # EPOLLET
    wait_until listener_waits
    wait_until idle
    echoes "${clients[0]}"
    last=${clients[8]}
    for client in "${clients[@]:0:8}"; do
        exec {client}>&-
    done
    echoes "$last"
    connect client
    echoes "$client"
    run -0 net datagrams 127.0.0.1 "$port" 1
}

# Stopped, it cannot have seen what is sent to it then.
@test "echo: INT and TERM: what came by then is sent back, then the end; the exit status is 0" {
    for signal in INT TERM; do
        echo_server 0
        connect client
        connect silent
        echoes "$client"
        echoes "$silent"
        kill -STOP "$server_pid"
        wait_until in_state "$server_pid" T
        head -c 30000 /dev/urandom >sent # its first window is larger, so all of this arrives
        cat sent >&"$client"
        kill "-$signal" "$server_pid"
        kill -CONT "$server_pid"
        timeout "$DEADLINE" cat <&"$client" >received
        cmp sent received
        closed "$silent"
        server_ends 0
        run ! connect client
        [ ! -s errors ]
        exec {client}>&- {silent}>&-
    done
}

@test "echo: TERM while a client takes its echo piece by piece: it gets all of it" {
    echo_server 0
    perl "$ROOT/tests/lib/net.pl" late 127.0.0.1 "$port" 160000 >received 2>said 3>&- &
    late=$!
    started+=("$late")
    wait_until grep -q sent said
    wait_until watches 1c 1 # the rest has arrived, but cannot be sent yet
    kill -TERM "$server_pid"
    kill -USR1 "$late"
    wait "$late"
    (($(wc -c <received) == 160000))
    server_ends 0
}

@test "echo: TERM is not held up by clients that have nothing to get" {
    serve() {
        echo_server 0
        connect client
        echoes "$client"
    }
    ends_soon serve
}

@test "echo: a client that reads nothing does not keep it from ending" {
    echo_server 0
    deaf_client
    kill -TERM "$server_pid"
    server_ends 0
}

@test "echo: TERM again and again only makes it end sooner" {
    echo_server 0
    deaf_client
    ended_by_term() {
        ended "$server_pid" || kill -TERM "$server_pid"
        ended "$server_pid"
    }
    wait_until ended_by_term
    server_ends 0
}

@test "echo: starts again at once at the port it had, with connections that have just ended" {
    echo_server 0
    connect client
    echoes "$client"
    kill -TERM "$server_pid"
    closed "$client" # the server has closed first, so its side waits, see tcp(7)
    exec {client}>&-
    server_ends 0
    echo_server "$port"
    connect client
    echoes "$client"
}

@test "echo: all signals but faults are blocked and read, none has a handler" {
    echo_server 0
    signals_are_read
    for signal in HUP USR1 USR2 PIPE CHLD WINCH; do
        kill "-$signal" "$server_pid"
    done
    connect client
    echoes "$client"
}

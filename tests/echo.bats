#!/usr/bin/env bats
# tests/examples/echo.c: an echo server.

load lib/helpers
load lib/examples

# The server announces its port. Sets port.
announced() {
    wait_until grep -sq '^port' output
    port=$(sed -n 's/^port //p' output)
}

# echo_server PORT [HOST]: starts an echo server, and waits until it listens.
echo_server() {
    example echo "$@"
    announced
}

# connect FD-VARIABLE [HOST]: connects to the server, and sets that variable to the descriptor.
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

# closed FD: the other side has closed the connection.
closed() {
    local got
    run -1 read -r -t "$DEADLINE" -u "$1" got # 1 at the end, over 128 after a timeout
}

net() {
    perl "$ROOT/tests/lib/net.pl" "$@" 3>&-
}

# deaf_client: starts a client that sends and never reads, and waits until the server cannot send
# any more. Sets deaf to its pid.
deaf_client() {
    perl "$ROOT/tests/lib/net.pl" deaf 127.0.0.1 "$port" 3>&- &
    deaf=$!
    started+=("$deaf")
    wait_until watches 1c 1 # EPOLLOUT, and EPOLLERR and EPOLLHUP, which epoll adds
}

needs_ipv6() {
    net owns ::1 || skip 'no IPv6 here'
}

@test "echo: answers over TCP" {
    echo_server 0
    connect client
    echoes "$client"
    echoes "$client"
}

@test "echo: answers over TCP on IPv6, at the same port" {
    needs_ipv6
    echo_server 0
    connect client ::1
    echoes "$client"
}

@test "echo: answers over UDP at the same port, from an empty datagram to the largest" {
    echo_server 0
    run -0 net datagrams 127.0.0.1 "$port" 1 0 1400 65507
    [ "$output" = $'1: same\n0: same\n1400: same\n65507: same' ]
}

@test "echo: answers over UDP on IPv6, at the same port" {
    needs_ipv6
    echo_server 0
    run -0 net datagrams ::1 "$port" 1 1400
    [ "$output" = $'1: same\n1400: same' ]
}

@test "echo: listens at the given host and at no other" {
    echo_server 0 127.0.0.2
    connect client 127.0.0.2
    echoes "$client"
    run ! connect client 127.0.0.1
}

# alone FAMILY: starts an echo server where there is only IPv4 (4) or only IPv6 (6).
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

@test "echo: works where there is no IPv6" {
    alone 4
    run -0 inside perl "$ROOT/tests/lib/net.pl" exchange 127.0.0.1 "$port" <<<hello
    [ "$output" = hello ]
    run ! inside perl "$ROOT/tests/lib/net.pl" exchange ::1 "$port" <<<hello
    [ ! -s errors ]
}

@test "echo: works where there is no IPv4" {
    needs_ipv6
    alone 6
    run -0 inside perl "$ROOT/tests/lib/net.pl" exchange ::1 "$port" <<<hello
    [ "$output" = hello ]
    run ! inside perl "$ROOT/tests/lib/net.pl" exchange 127.0.0.1 "$port" <<<hello
    [ ! -s errors ]
}

@test "echo: a port in use, a foreign address and a malformed port are reported" {
    echo_once() { timeout "$DEADLINE" "$EXAMPLES/echo" "$@"; }
    echo_server 0
    run -1 echo_once "$port"
    [ "$output" = 'echo: cannot listen: Address already in use' ] || fail "$output"
    run -1 echo_once 0 192.0.2.1 # reserved for documentation, RFC 5737
    [ "$output" = 'echo: cannot listen: Cannot assign requested address' ]
    for word in '' x -1 65536 99999999999999999999; do
        run -2 echo_once "$word"
        [ "$output" = 'echo: usage: echo PORT [HOST]' ]
    done
    run -2 echo_once
}

@test "echo: a client that shuts down its sending side still gets the whole echo" {
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

@test "echo: a client that reads nothing costs no memory and holds up no other" {
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

@test "echo: without a descriptor for the next client, the server waits for one without spinning" {
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
    listener_waits() { watches 80000019 1; } # EPOLLET with EPOLLIN, EPOLLERR and EPOLLHUP
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

# The server is stopped while the data and the signal arrive, so it sees both at once.
@test "echo: on INT and TERM, it sends back what has arrived, closes, and exits with status 0" {
    for signal in INT TERM; do
        echo_server 0
        connect client
        connect silent
        echoes "$client"
        echoes "$silent"
        kill -STOP "$server_pid"
        wait_until in_state "$server_pid" T
        head -c 30000 /dev/urandom >sent # fits into the first receive window, so all of it arrives
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

@test "echo: after TERM, a client that takes its echo piece by piece still gets all of it" {
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

@test "echo: on TERM, it does not wait for clients that are owed nothing" {
    serve() {
        echo_server 0
        connect client
        echoes "$client"
    }
    ends_soon serve
}

@test "echo: on TERM, it ends even if a client reads nothing" {
    echo_server 0
    deaf_client
    kill -TERM "$server_pid"
    server_ends 0
}

@test "echo: repeated TERM only makes it end sooner" {
    echo_server 0
    deaf_client
    ended_by_term() {
        ended "$server_pid" || kill -TERM "$server_pid"
        ended "$server_pid"
    }
    wait_until ended_by_term
    server_ends 0
}

@test "echo: can start again at once at the same port, though connections have just ended" {
    echo_server 0
    connect client
    echoes "$client"
    kill -TERM "$server_pid"
    closed "$client" # the server closed first, so its side is in TIME_WAIT
    exec {client}>&-
    server_ends 0
    echo_server "$port"
    connect client
    echoes "$client"
}

@test "echo: all signals but faults are blocked and read from a signalfd; none has a handler" {
    echo_server 0
    signals_are_read
    for signal in HUP USR1 USR2 PIPE CHLD WINCH; do
        kill "-$signal" "$server_pid"
    done
    connect client
    echoes "$client"
}

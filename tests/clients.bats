#!/usr/bin/env bats
# The control socket, and those who connect to it.

load helpers

# ---- the socket

@test "control socket: for its user alone, whatever the umask" {
    for mask in 000 077 777; do
        (umask $mask && exec "$SERVER" -l taxi.sock </dev/null 2>err 3>&-) &
        server_pid=$!
        started+=("$server_pid")
        wait_until test -S taxi.sock
        wait_until control stats
        [ "$(stat -c '%a %F' taxi.sock)" = '600 socket' ]
        kill -TERM "$server_pid"
        server_ends 0
        [ ! -e taxi.sock ]
    done
}

@test "control socket: that of a dead server is taken over" {
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

@test "control socket: that of a live server is left alone; a stopped one is alive" {
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

@test "control socket: what is no socket is left alone" {
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

@test "control socket: a path of 107 bytes is the longest" {
    path=$(printf '%0107d' 0)
    start_server --listen "$path"
    wait_until test -S "$path"
    run -0 "$SERVER" --connect "$path" get_drivers
    for option in listen connect; do
        run -2 session --$option "0$path"
        [ "$output" = "server: --$option: path too long (limit 107 bytes): '0$path' (try --help)" ]
        run -2 session --$option ''
        [ "$output" = "server: --$option needs a path that is not empty (try --help)" ]
    done
}

@test "control socket: at the end only its own file is removed" {
    start_listening
    rm taxi.sock
    timeout 30 "$SERVER" --listen taxi.sock </dev/null 3>&- &
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

@test "control socket: it is removed where starting fails further on" {
    run -1 bash -c "ulimit -n 8; exec '$SERVER' --listen taxi.sock"
    [[ $output == 'server: cannot '*': Too many open files'* ]] # a leak checker adds what it lacks
    [ ! -e taxi.sock ]
}

@test "control socket: of many that begin at once where a dead one was, one has it" {
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

@test "control socket: another user is told, and refused; root is not" {
    [ "$(id -u)" = 0 ] || skip 'only root can become another user'
    start_listening
    chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* .
    chmod 666 taxi.sock
    run -0 setpriv --reuid=64999 --regid=64999 --clear-groups perl -MSocket -e '
        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; connect $s, pack_sockaddr_un("taxi.sock") or die;
        print while <$s>'
    [ "$output" = "Error: only the server's own user may give it commands" ]
    logged '^server: refused a connection of user 64999$'
    kill -TERM "$server_pid"
    server_ends 0
    hang_up
    cp "$SERVER" "$DRIVER" .
    chown 64999 .
    start setpriv --reuid=64999 --regid=64999 --clear-groups ./server --listen taxi.sock
    wait_until control stats
    run -0 control get_drivers
}

# ---- many clients

@test "clients: each has its replies, in its own order" {
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

@test "clients: the end of one, or quit, is nothing to the others; the end of stdin neither" {
    start_listening
    attach one
    attach two
    tell one get_drivers quit
    hear one '0 drivers'
    client_ends one 0
    end_input
    run -0 raw 'my $s = attach(); print $s "create_driver\nsend_task any 100\nget_driv"; shutdown $s, 1; print rest($s)'
    [[ $output == 'Driver '*$' Available\nDriver '*$' Busy 100\nError: unknown command \'get_driv\' (try help)' ]]
    tell two get_drivers
    hear two 'Driver * Busy 100' '1 driver'
    attach three
    wait_until has_clients 2
    tell two shutdown
    client_ends two 0
    client_ends three 3 # it might have had more to say
    server_ends 0
    log_is 'server: 1 task cancelled' 'server: Stats *'
}

@test "clients: with a control socket, a standard input that cannot be read is logged, and that is all" {
    for stdin in '<&-' '>/dev/null 0>&1' '</'; do
        start bash -c "exec '$SERVER' --listen taxi.sock $stdin"
        wait_until control get_drivers
        [ "$(grep -c '^server: cannot read standard input: ' err)" = 1 ]
        kill -TERM "$server_pid"
        server_ends 0
        hang_up
    done
}

@test "clients: at a stop each gets what it is owed, or an Error, and its farewell" {
    start_listening -g 0.2
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
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

@test "clients: what one has sent before the stop is answered, though not read before" {
    start_listening
    attach late
    wait_until has_clients 2
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    tell late get_drivers "get_status 5"
    detach late
    wait_until at_end_of_input "${client_pid[late]}"
    kill -TERM "$server_pid"
    kill -CONT "$server_pid"
    hear late 'Error: server is stopping' 'Error: server is stopping'
    client_ends late 1
    server_ends 0
}

# A client has no descriptor 0 in its epoll set any more: what it was told is sent.
at_end_of_input() {
    in_state "$1" S && ! grep -q '^tfd: *0 ' "/proc/$1/fdinfo/"* 2>/dev/null
}

@test "clients: at a stop those that are about to connect are told" {
    start_listening
    kill -STOP "$server_pid"
    wait_until in_state "$server_pid" T
    mkfifo connected
    raw 'my @clients = map { attach() } 1 .. 150;
         print { $_ } "fly\n" for @clients;
         open my $connected, ">", "connected"; print $connected "all\n"; close $connected;
         check(line($_) eq "Error: server is stopping", "told") for @clients' >told 2>&1 &
    clients=$!
    read -r _ <connected
    kill -TERM "$server_pid"
    kill -CONT "$server_pid"
    wait "$clients" || fail "$(cat told)"
    server_ends 0
}

@test "clients: at a stop each that reads has all replies, also those that a killed driver makes" {
    start_listening -g 0.2
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    mkfifo sent
    raw 'my @clients = map { attach() } 1 .. 4;
         for my $client (@clients) { print $client "get_status '"$pid"'\n" x 3000, "fly\n" }
         open my $sent, ">", "sent"; print $sent "all\n"; close $sent;
         for my $client (@clients) {
             check(line($client) eq "Error: server is stopping", "reply $_") for 1 .. 3000;
             check(line($client) =~ /^Error: /, "the last"); check(line($client) eq "END", "the end") }' >told 2>&1 &
    clients=$!
    read -r _ <sent
    wait_until has_clients 5
    kill -TERM "$server_pid"
    wait "$clients" || fail "$(cat told)"
    server_ends 0
}

@test "clients: a stop waits for nobody where there is nothing to wait for" {
    start_listening -g 100
    create
    attach idle
    wait_until has_clients 2
    kill -TERM "$server_pid"
    client_ends idle 3
    server_ends 0
}

@test "clients: at a stop that is hurried, too" {
    start_listening
    create
    say "send_task $pid 100"
    expect '*'
    mkfifo sent
    raw 'my @clients = map { attach() } 1 .. 1000;
         for my $client (@clients) { print $client "wait\n" x 50 }
         open my $sent, ">", "sent"; print $sent "all\n"; close $sent;
         for my $client (@clients) { check(line($client) eq "Error: server is stopping", "reply $_") for 1 .. 50 }' >told 2>&1 &
    clients=$!
    read -r _ <sent
    wait_until has_clients 1001
    kill -TERM "$server_pid"
    kill -QUIT "$server_pid"
    wait "$clients" || fail "$(cat told)"
    server_ends 0
}

@test "clients: those that are gone leave nothing at a stopped driver" {
    start_listening -t 0.2
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    run -0 raw '
        my $flood = attach();
        fcntl $flood, F_SETFL, O_NONBLOCK;
        my $idle = 0;
        while ($idle < 30) { # until the driver takes no more
            if (syswrite $flood, "get_status '"$pid"'\n" x 1000) { $idle = 0 } else { $idle++; select undef, undef, undef, 0.01 }
        }
        for (1 .. 100) { my $s = attach(); print $s "get_status '"$pid"'\n" x $_; close $s }'
    wait_until has_clients 1
    kill -CONT "$pid"
    wait_until answers_again
}

answers_again() {
    say "get_status $pid"
    reply
    [[ $line == "Driver $pid Available" ]]
}

@test "clients: no memory: several are answered in turn, and the server sleeps in between" {
    start_faulty malloc:ENOMEM:8+ --listen taxi.sock
    say session
    expect '*'
    for count in 2 3 20; do
        run -0 raw '
            my @clients = map { attach() } 1 .. '$count';
            for my $client (@clients) { fork or do { print $client "fly\n" x 2000; exit } }
            for my $client (@clients) { check(line($client) =~ /^Error: unknown/, "reply $_") for 1 .. 2000 }
            1 while wait >= 0'
    done
    wait_until in_state "$server_pid" S
}

@test "clients: the console fails: it is logged once, and the others go on" {
    start_listening
    exec {from}<&- {from}</dev/null # nobody reads it
    say get_drivers get_drivers
    wait_until logged 'server: cannot write standard output: Broken pipe'
    run -0 control get_drivers
    kill -TERM "$server_pid"
    server_ends 0
    [ "$(grep -c 'standard output' err)" = 1 ]
}

@test "clients: the console cannot be watched: it is logged once, and the server sleeps" {
    start_faulty epoll_ctl:ADD:8+ --listen taxi.sock
    yes help | head -n 300 >&"$to" 3>&- {from}<&- & # more than its reader's pipe holds
    wait_until logged 'server: cannot watch standard output: Cannot allocate memory'
    wait_until in_state "$server_pid" S
    before=$(ticks)
    wait_until past $(($(uptime_ms) + 300))
    (($(ticks) - before < 10))
    [ "$(wc -l <err)" = 1 ]
    kill -TERM "$server_pid"
    server_ends 0
}

@test "clients: one that is gone: what it has sent still counts, and it waits for nothing" {
    start_listening
    raw 'my $s = attach(); print $s "create_driver 2\nsend_task any 100\nsend_task any 100\n" .
         "send_task any 100\nwait\nfly\n"; close $s'
    wait_until took 7
    say get_drivers
    expect 'Driver * Busy *' 'Driver * Busy *' '2 drivers'
    wait_until has_clients 1
}

has_clients() {
    kill -USR1 "$server_pid"
    pause
    logged "clients=$1 "
}

@test "clients: one that is killed while it waits gives up its place" {
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

@test "clients: a thousand at once" {
    start_listening
    create
    run -0 raw '
        my @clients = map { attach() } 1 .. 1000;
        print $_ "get_status '"$pid"'\n" for @clients;
        check(line($_) eq "Driver '"$pid"' Available", "a reply") for @clients;
        print { $clients[0] } "stats\n";
        check(line($clients[0]) =~ / clients=1001 /, "stats");
        print $_ "fly$_\nquit\n" for @clients;
        check(line($_) =~ /unknown command/, "an Error") for @clients;
        check(line($_) eq "END", "the end") for @clients;'
    wait_until has_clients 1
    # What they had is used again, and none has kept a buffer.
    (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < MEMORY_MAX_KB))
}

@test "clients: no descriptor for another one: it waits, and the server sleeps meanwhile" {
    start bash -c "ulimit -n 24; exec '$SERVER' --listen taxi.sock"
    wait_until test -S taxi.sock
    mkfifo finish
    raw 'my @clients = map { attach() } 1 .. 40;
         print "up\n"; STDOUT->flush; open my $done, "<", "finish"; <$done>;
         print $_ "get_drivers\nquit\n" for @clients;
         check(line($_) eq "0 drivers", "a reply") for @clients' >clients &
    clients=$!
    wait_until grep -q up clients
    wait_until logged 'server: cannot accept a connection: Too many open files'
    before=$(ticks)
    wait_until past $(($(uptime_ms) + 500)) # five pauses
    (($(ticks) - before < 10))
    echo >finish
    wait "$clients"
    [ "$(cat err)" = 'server: cannot accept a connection: Too many open files' ] || fail "$(cat err)"
    run -0 control get_drivers
}

# Processor time of the server, in hundredths of a second.
ticks() {
    local stat
    read -r stat <"/proc/$server_pid/stat"
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo $((${12} + ${13}))
}

@test "clients: one that does not read is left alone, and has every reply when it reads" {
    start_listening
    create
    run -0 raw '
        my $s = attach();
        fcntl $s, F_SETFL, O_NONBLOCK;
        my ($line, $sent) = ("get_status '"$pid"'\n", 0);
        my $idle = 0;
        while ($idle < 50) { # until nothing more is taken, for half a second
            my $n = syswrite $s, $line x 1000;
            if ($n) { $sent += $n; $idle = 0 } else { $idle++; select undef, undef, undef, 0.01 }
        }
        # The others work on.
        my $other = attach();
        print $other "get_status '"$pid"'\n";
        check(line($other) eq "Driver '"$pid"' Available", "the other");
        print $other "stats\n";
        line($other) =~ / commands=(\d+) /;
        check($1 * length $line < $sent, "all commands were taken");
        fcntl $s, F_SETFL, 0;
        shutdown $s, 1;
        my $whole = int($sent / length $line);
        for (1 .. $whole) { check(line($s) eq "Driver '"$pid"' Available", "reply $_ of $whole") }
        print $whole > 10000 ? "many\n" : "few: $whole\n";'
    [ "$output" = many ]
    (($(status_field "$server_pid" VmHWM | tr -dc 0-9) < MEMORY_MAX_KB))
}

@test "clients: a flood for a stopped driver keeps nobody else from it" {
    start_listening -t 0.2
    create
    kill -STOP "$pid"
    wait_until in_state "$pid" T
    mkfifo held finish
    raw 'my ($flood, $left) = (attach(), "get_status '"$pid"'\n" x 200000);
         fcntl $flood, F_SETFL, O_NONBLOCK;
         for (my $idle = 0; $idle < 50; select undef, undef, undef, 0.01) { # longer than the timeout
             my $n = syswrite $flood, $left;
             substr $left, 0, $n, "" if $n;
             $idle = $n ? 0 : $idle + 1;
             sysread $flood, my $replies, 1 << 20;
         }
         check(length $left, "it is held back");
         open my $held, ">", "held"; print $held "held\n"; close $held;
         open my $finish, "<", "finish"; <$finish>' >told 2>&1 &
    flood=$!
    started+=("$flood")
    timeout 30 head -n 1 held 3>&-
    attach other
    before=$(commands_taken)
    tell other "get_status $pid"
    one_more() { (($(commands_taken) == before + 1)); }
    wait_until one_more # while the socket and the queue are full of the other's
    kill -CONT "$pid"
    hear other "* $pid *"
    until tell other "get_status $pid" && hear other "* $pid *" && [ "$line" = "Driver $pid Available" ]; do :; done
    echo >finish
    wait "$flood" || fail "$(cat told)"
}

more_stats() {
    (($(grep -c Stats err) > $1))
}

commands_taken() {
    local before
    before=$(grep -c Stats err)
    kill -USR1 "$server_pid"
    wait_until more_stats "$before"
    sed -n '$ s/.* commands=\([0-9]*\) .*/\1/p' err
}

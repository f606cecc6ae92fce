#!/usr/bin/env bats
# Several servers may want to replace a dead one that has left its control socket. A server holds the
# lock file from its check of the old socket until it listens itself.

load lib/helpers
load lib/looks

dead_socket() {
    start_listening
    kill -KILL "$server_pid"
    wait_until ended "$server_pid"
    hang_up
    before=$(stat -c '%d %i' taxi.sock)
    ln taxi.sock kept # so that no other socket gets its inode
}

# Another process takes the lock, and holds it until end_started or a kill.
hold_lock() {
    "$LIB/hold-lock.pl" taxi.sock.lock >holder 3>&- &
    holder=$!
    started+=("$holder")
    wait_until test -s holder
}

# give_up_lock: as a server does that has started.
give_up_lock() {
    rm taxi.sock.lock
    kill -KILL "$holder"
    wait_until ended "$holder"
}

# left_alone: the old socket and the lock file are still there.
left_alone() {
    [ "$(stat -c '%d %i' taxi.sock)" = "$before" ]
    [ "$(stat -c '%a %F' taxi.sock.lock)" = '600 regular empty file' ]
}

# start_waiting: starts a server that waits for the lock, or has given up, which it does after three
# seconds: a slow machine may not see it wait.
start_waiting() {
    start "$@" --listen taxi.sock
    wait_until waits_or_ended
}

waits_or_ended() {
    ended "$server_pid" || { [[ /proc/$server_pid/exe -ef $SERVER ]] && blocks_signals; }
}

listens_or_ended() {
    ended "$server_pid" || control stats >/dev/null 2>&1
}

gave_up() {
    grep -qx "server: cannot listen on taxi.sock: process $holder holds taxi.sock.lock" err
}

@test "takeover: while another process holds the lock, a dead server's socket is left alone" {
    dead_socket
    for try in {1..10}; do
        hold_lock
        start_waiting "$SERVER"
        left_alone
        give_up_lock
        wait_until listens_or_ended
        alive "$server_pid" && break
        gave_up || fail "$(cat err)"
        hang_up
    done
    run -0 control get_drivers
    [ "$output" = '0 drivers' ]
    [ ! -e taxi.sock.lock ]
}

# Here a process stands for the child that a killed server was about to make a driver. It ends as soon as
# somebody has connected.
@test "takeover: a socket that a killed server has left to its child for a moment is taken over" {
    perl -MSocket -e 'socket(SERVER, AF_UNIX, SOCK_STREAM, 0) && bind(SERVER, pack_sockaddr_un("taxi.sock")) &&
        listen(SERVER, 9) or die $!;
        exit if fork; # the server is dead
        alarm 60;
        accept(CLIENT, SERVER)' 3>&-
    start_listening
    control stats
}

@test "takeover: a lock that is not released in three seconds is an error, and says who holds it" {
    dead_socket
    hold_lock
    run -1 session --listen taxi.sock </dev/null
    [ "$output" = "server: cannot listen on taxi.sock: process $holder holds taxi.sock.lock" ]
    left_alone
}

@test "takeover: a signal ends a server that waits for the lock; under nohup, a HUP does not" {
    dead_socket
    hold_lock
    for signal in TERM INT QUIT HUP; do
        for try in {1..10}; do
            start_waiting env --default-signal "$SERVER"
            kill "-$signal" "$server_pid" 2>/dev/null || true
            wait_until ended "$server_pid"
            hang_up
            [ -s err ] || break
            gave_up || fail "$(cat err)"
        done
        server_ends 0
        left_alone
    done
    start_waiting env --ignore-signal=HUP "$SERVER"
    kill -HUP "$server_pid"
    server_ends 1
    gave_up
}

@test "takeover: the lock is held until the new server listens, and then removed" {
    command -v strace >/dev/null || skip 'no strace to see the order of calls with'
    dead_socket
    : >taxi.sock.lock # it was killed in its first millisecond
    start strace -D -qq -o trace -e trace=fcntl,unlinkat,bind,listen "$SERVER" --listen taxi.sock
    say get_drivers
    expect '0 drivers'
    order=$(sed -nE 's/^(bind|listen)\(.*/\1/p; s/^fcntl\(.*F_SETLK.* = 0/lock/p
        s/^unlinkat\([0-9]+, "([a-z.]+)", 0\) += 0/\1/p' trace | tr '\n' ' ')
    [ "$order" = 'lock taxi.sock bind listen taxi.sock.lock ' ] || fail "$order"
    [ ! -e taxi.sock.lock ]
    kill -TERM "$server_pid"
}

@test "takeover: a lock on a file that was removed in the meantime does not count" {
    command -v strace >/dev/null || skip 'no strace to stop the server with'
    dead_socket
    : >taxi.sock.lock
    # The server stops when it has opened the file, and has not locked it yet.
    start strace -D -qq -o trace -P taxi.sock.lock -e trace=openat -e inject=openat:signal=STOP:when=1 \
        "$SERVER" --listen taxi.sock
    wait_until has_opened_lock
    rm taxi.sock.lock
    hold_lock
    kill -CONT "$server_pid"
    server_ends 1
    gave_up
    left_alone
}

has_opened_lock() {
    look_at "$server_pid"
    [[ $process_state == [Tt] ]] && grep -q taxi.sock.lock trace
}

@test "takeover: a TERM while the server makes its socket leaves nothing, and counts" {
    command -v strace >/dev/null || skip 'no strace to send the signal with'
    [[ ${TEST_BUILD-} != *asan* ]] || skip 'a leak checker does not work under strace'
    for call in bind listen unlinkat; do
        run -0 timeout --foreground -k 1 120 strace -D -qq -o trace -e "trace=$call" \
            -e "inject=$call:signal=TERM:when=1" "$SERVER" --listen taxi.sock </dev/null
        grep -q "^$call(" trace
        [ "$output" = '' ]
        [ "$(echo taxi.*)" = 'taxi.*' ]
    done
}

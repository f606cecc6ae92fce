#!/usr/bin/env bats
# What other users can do: nothing of theirs is waited for, followed, written into or believed. Only
# root can run these tests, since they need a second user.

load lib/helpers

# The test's directory becomes one like /tmp, where everybody can make files, and nobody can remove
# other users' files.
shared_directory() {
    become_other
    own=$((OTHER_UID + 1))
    as_own=(setpriv "--reuid=$own" "--regid=$own" --clear-groups)
    mkdir shared
    chmod 1777 shared
    cd shared || return
}

# stranger COMMAND...: runs it as the other user.
stranger() {
    "${as_other[@]}" "$@"
}

# stranger_starts COMMAND...: the same, in the background.
stranger_starts() {
    "${as_other[@]}" "$@" </dev/null >stranger.out 2>&1 3>&- &
    started+=("$!")
}

# stranger_holds FILE [read]: the other user locks the file, see lib/hold-lock.pl.
stranger_holds() {
    cp "$LIB/hold-lock.pl" ..
    stranger_starts perl ../hold-lock.pl "$@"
    wait_until test -s stranger.out
}

# stranger_listens PATH: a server of the other user, see lib/deceive.pl. What it hears goes to heard.
stranger_listens() {
    cp "$LIB/deceive.pl" ..
    stranger_starts perl ../deceive.pl "$1" heard
    wait_until test -e heard
}

# cannot_listen REASON: a server says that and ends, and leaves no file of ours.
cannot_listen() {
    run -1 session --listen taxi.sock </dev/null
    [ "$output" = "server: cannot listen on taxi.sock: $1" ] || fail "$output"
    [ -z "$(find . -user "$(id -u)" ! -name . ! -name stranger.out)" ]
}

# client PATH [WORD...]: runs a client of the server there, as a user that is neither the stranger nor
# root, who may command anybody's server.
client() {
    timeout --foreground -k 1 120 "${as_own[@]}" ../server --connect "$@" </dev/null
}

# is_refused PATH: a client at the path says whose the server is, and nothing else, not even what the
# server has sent.
is_refused() {
    local words
    for words in '' 'run any 50 secret'; do
        # shellcheck disable=SC2086
        run -3 client "$1" $words
        [ "$output" = "server: the server at $1 is another user's (user $OTHER_UID): nothing was sent to it" ] ||
            fail "$output"
    done
}

@test "strangers: a lock on the directory, ours or another user's, holds up no server" {
    shared_directory
    exec {lock}<.
    flock -x "$lock" # also inherited by the server
    stranger_starts flock -x .. sleep 1000
    start_server --listen taxi.sock
    wait_until control stats
    exec {lock}<&-
}

@test "strangers: a lock file that another user has made and locked is neither waited for nor used" {
    shared_directory
    stranger_holds taxi.sock.lock
    cannot_listen "taxi.sock.lock is another user's"
    stranger chmod 666 taxi.sock.lock
    cannot_listen "taxi.sock.lock is another user's"
    [ -f taxi.sock.lock ]
}

@test "strangers: a lease that another user has on a file in the place of the lock holds up nobody" {
    shared_directory
    # Whoever opens the file has to wait until its holder gives the lease up, for at most 45 s, fcntl(2).
    stranger_starts perl -MFcntl -e '$SIG{IO} = "IGNORE"; $| = 1; open F, ">", "taxi.sock.lock" or die;
        fcntl F, 1024, F_WRLCK or die "F_SETLEASE: $!"; print "leased\n"; sleep'
    wait_until test -s stranger.out
    grep -qx leased stranger.out || skip "no leases here: $(<stranger.out)"
    run -1 timeout 35 "$SERVER" --listen taxi.sock </dev/null
    [ "$output" = "server: cannot listen on taxi.sock: taxi.sock.lock is another user's" ]
}

@test "strangers: anything else in the place of the lock file is left alone" {
    shared_directory
    echo precious >../precious
    for make in 'ln -s ../precious' 'ln -s ../made' mkfifo mkdir; do
        # shellcheck disable=SC2086
        stranger $make taxi.sock.lock
        cannot_listen "taxi.sock.lock is another user's"
        rm -r taxi.sock.lock
        $make taxi.sock.lock
        run -1 session --listen taxi.sock </dev/null
        [ "$output" = 'server: cannot listen on taxi.sock: taxi.sock.lock is no regular file' ]
        [ -e taxi.sock.lock ] || [ -L taxi.sock.lock ]
        rm -r taxi.sock.lock
    done
    [ "$(<../precious)" = precious ]
    [ ! -e ../made ]
}

@test "strangers: another user's socket is left alone, whether a server listens or not; so is a link" {
    shared_directory
    cp "$LIB/make-socket.pl" ..
    stranger perl ../make-socket.pl taxi.sock
    cannot_listen "it is another user's"
    [ -S taxi.sock ]
    rm taxi.sock
    stranger ln -s elsewhere taxi.sock
    cannot_listen 'it exists and is no socket'
    [ -L taxi.sock ]
    rm taxi.sock
    stranger_listens taxi.sock
    cannot_listen "it is another user's"
    [ "$(<heard)" = '' ] # nobody has connected
    [ -S taxi.sock ]
}

@test "strangers: a client tells another user's server nothing, and shows nothing of what it says" {
    shared_directory
    stranger_listens taxi.sock
    is_refused taxi.sock
    [ "$(<heard)" = '' ] # we have not even connected
    ln -s taxi.sock link
    is_refused link
    # If the file does not tell, the process at the other end does.
    for owner in 0 "$own"; do
        chown "$owner" taxi.sock
        is_refused taxi.sock
    done
    heard_four() { [ "$(<heard)" = $'end\nend\nend\nend' ]; }
    wait_until heard_four
}

@test "strangers: a client does not wait for a stranger to accept its connection" {
    shared_directory
    stranger_starts perl -MSocket -e 'socket $s, AF_UNIX, SOCK_STREAM, 0; bind $s, pack_sockaddr_un "taxi.sock";
        listen $s, 0; socket $c, AF_UNIX, SOCK_STREAM, 0; connect $c, pack_sockaddr_un "taxi.sock" or die;
        $| = 1; print "full\n"; sleep'
    wait_until test -s stranger.out
    is_refused taxi.sock
}

@test "strangers: a client follows no link of another user, not even to a server of its own" {
    shared_directory
    start "${as_own[@]}" ../server --listen taxi.sock
    wait_until client taxi.sock stats
    stranger ln -s taxi.sock link
    is_refused link
    run -3 "$SERVER" --connect link get_drivers # root, too
    [[ $output == *"another user's (user $OTHER_UID): nothing was sent to it" ]]
    "${as_own[@]}" ln -s taxi.sock own
    ln -s own roots
    for path in own roots; do
        run -0 client "$path" get_drivers
        [ "$output" = '0 drivers' ]
    done
}

@test "strangers: root may command any user's server" {
    shared_directory
    stranger_starts ../server --listen taxi.sock
    wait_until control stats
    run -0 control get_drivers
    [ "$output" = '0 drivers' ]
    control shutdown
}

# in_namespace COMMAND...: runs it in a user namespace that knows no user, as user 65534 like everybody
# else there.
in_namespace() {
    unshare --user "$@"
}

@test "strangers: a user that our user namespace does not know is nobody, also if we are nobody there" {
    shared_directory
    in_namespace true 2>/dev/null || skip 'no user namespace to be had'
    chmod 711 .
    start unshare --user "$SERVER" --listen "$PWD/taxi.sock"
    wait_until control stats # root's, and so is the server
    run -0 in_namespace "$SERVER" --connect taxi.sock get_drivers
    [ "$output" = '0 drivers' ]
    chmod 666 taxi.sock
    cp "$HELPERS/crowd" ..
    run -0 stranger ../crowd taxi.sock "$DEADLINE" <<'END'
attach 1
hear 1 1 1 Error: only the server's own user may give it commands
end 1 1
END
    [ "$output" = $'ok\nok\nok' ]
    logged '^server: refused a connection of user 65534$'
    chmod 1777 .
    stranger_listens other.sock
    run -3 in_namespace "$SERVER" --connect other.sock run any 50 secret
    [ "$output" = "server: the server at other.sock is another user's (user 65534): nothing was sent to it" ]
    wait_until test -s heard
    [ "$(<heard)" = end ]
}

@test "strangers: where all users are known, nobody is a user like any other, also in another pid namespace" {
    OTHER_UID=65534
    shared_directory
    grep -qE '^ +0 +0 +4294967295$' /proc/self/uid_map || skip 'this user namespace does not know all users'
    needs_pid_namespace --mount-proc
    start "${as_other[@]}" ../server --listen taxi.sock --drivers 1
    wait_until control stats
    run -0 unshare -pf --mount-proc "${as_other[@]}" ../server --connect taxi.sock stats
    [[ $output == 'Stats '* ]]
    # One that has gone before the server looks at it.
    stop_process "$server_pid"
    stranger perl -MSocket -e 'socket $s, AF_UNIX, SOCK_STREAM, 0; connect $s, pack_sockaddr_un "taxi.sock" or die;
        syswrite $s, "submit 50 echo >ran\n"'
    kill -CONT "$server_pid"
    wait_until test -e ran
    run -0 control wait_job 1
    control shutdown
    server_ends 0
    log_is
}

# refuses_descriptors: the other user cannot send one to the server, even if he can reach its socket.
refuses_descriptors() {
    wait_until control stats
    chmod 666 taxi.sock
    run stranger ../pass taxi.sock
    [ "$status" != 2 ] || skip "$output"
    [ "$output" = 'Operation not permitted' ]
}

@test "strangers: nobody can send a descriptor, whose close(2) may wait for ever, to a server or client" {
    shared_directory
    cp "$HELPERS/pass" ..
    start perl "$LIB/activate.pl" taxi.sock "$SERVER"
    refuses_descriptors
    control shutdown
    server_ends 0
    hang_up
    rm taxi.sock
    start_server --listen taxi.sock
    refuses_descriptors
    # A client that trusts the server, and waits for it.
    ../pass -l own.sock </dev/null >passed 3>&- &
    started+=("$!")
    wait_until test -s passed
    run -3 timeout --foreground 120 "$SERVER" --connect own.sock stats
    [ "$output" = 'server: the server at own.sock has ended the connection' ]
    [ "$(<passed)" = $'listens\nOperation not permitted' ]
}

@test "strangers: --output refuses a directory of another user, and a FIFO" {
    shared_directory
    stranger mkdir -m 755 logs
    run -1 session --output logs </dev/null
    [ "$output" = "server: cannot write into logs: it is another user's" ]
    [ -z "$(ls logs)" ]
    stranger mkfifo fifo
    run -1 session --output fifo </dev/null
    [ "$output" = 'server: cannot write into fifo: Not a directory' ]
}

@test "strangers: --output follows no link of another user, not even to a directory of ours" {
    shared_directory
    mkdir -m 755 precious
    stranger ln -s precious link
    stranger ln -s missing dangling
    for path in link link/ link// dangling; do
        run -1 session --output "$path" <<<'create_driver'
        [ "$output" = "server: cannot write into ${path%%/*}: it is another user's link" ]
    done
    [ -z "$(ls precious)" ]
    [ ! -e missing ]
    ln -s precious own
    run -0 session --output own/ </dev/null
}

@test "strangers: whoever may read the log can lock it, and is not taken for a server" {
    shared_directory
    (umask 022 && : >jobs.log)
    stranger_holds jobs.log read
    run -1 session --log jobs.log </dev/null
    [ "$output" = "server: cannot write the log jobs.log: process ${started[-1]} has it locked for reading" ] ||
        fail "$output"
}
